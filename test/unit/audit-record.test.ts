/** The record of what happened: whoever changes anything of it is found out, and where; whoever has the right to, is not. */
import { createHash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';

import { readCheckpoints, readPublicKey } from '../../src/audit/audit-files.ts';
import { signedPlace } from '../../src/audit/follow.ts';
import { account, identifiers } from '../support/records.ts';
import { type AuditWorld, auditWorld } from '../support/audit-world.ts';

const DAY = 86_400;

/** What a thief with the file of the store does to it. */
const tamper = ({ file }: AuditWorld, sql: string): number => {
  const database = new DatabaseSync(file, { timeout: 5000 });
  try {
    return Number(database.prepare(sql).run().changes);
  } finally {
    database.close();
  }
};

const parsed = (line: string | undefined) => JSON.parse(line ?? '') as Record<string, unknown>;

describe('an exported record', () => {
  test('is verified with the public key alone, and says through which event and as of when', async () => {
    const world = await auditWorld();
    await world.happen(25);
    const lines = await world.exported();
    // 25, and the checkpoint that was made for it.
    expect(lines).toHaveLength(27);
    expect(parsed(lines[0])).toMatchObject({ format: 'curfew-audit-1', from: 1, previous: '', through: 26 });
    const verified = await world.verified(lines.join(''));
    expect(verified).toMatchObject({ ok: true, faults: [], events: 26, from: 1, through: 26 });
    expect(verified.lastCheckpoint).toMatchObject({ seq: 25, at: world.clock.now().toISOString() });
    expect(verified.head).toBe(parsed(lines.at(-1))['hash']);
  });

  test('can be checked by anybody who can make a JSON array and SHA-256 of it', async () => {
    const world = await auditWorld();
    await world.happen(3);
    let previous = '';
    for (const line of (await world.exported()).slice(1)) {
      const { seq, id, at, kind, outcome, accountId, actor, facts, commitment, hash } = parsed(line) as {
        [name: string]: never;
      } & { actor: { kind: string; accountId?: string; clientId?: string } };
      const who = actor.accountId ?? actor.clientId ?? null;
      const covered = ['curfew-audit-1', previous, seq, id, at, kind, outcome, accountId, actor.kind, who];
      previous = createHash('sha256')
        .update(JSON.stringify([...covered, JSON.stringify(facts), commitment]))
        .digest('base64url');
      expect(hash).toBe(previous);
    }
  });

  test('holds nothing personal in clear, unless it is revealed; and then what was committed to', async () => {
    const world = await auditWorld();
    await world.happen(3);
    const closed = (await world.exported()).join('');
    expect(closed).not.toMatch(/192\.0\.2|Browser|salt/);
    const open = await world.exported({ reveal: true });
    const detail = String(parsed(open[1])['detail']);
    expect(JSON.parse(detail)).toEqual({
      address: '192.0.2.0',
      userAgent: 'Browser "X"\n',
      salt: expect.stringMatching(/^[\w-]{43}$/) as string,
    });
    expect(createHash('sha256').update(detail).digest('base64url')).toBe(parsed(open[1])['commitment']);
    expect(await world.verified(open.join(''))).toMatchObject({ ok: true });
    const without = open.with(2, open[2]?.replace(/,"detail":"[^}]*\}"/, '') ?? '');
    expect(without[2]).not.toContain('salt');
    expect(await world.verified(without.join(''))).toMatchObject({
      ok: false,
      faults: [{ line: 3, problem: 'detail' }],
    });
  });

  test('since a time begins in the middle, and vouches for where', async () => {
    const world = await auditWorld();
    await world.happen(10);
    const since = world.clock.now();
    await world.happen(5);
    const lines = await world.exported({ since });
    expect(parsed(lines[0])).toMatchObject({ from: 10, through: 16 });
    expect(await world.verified(lines.join(''))).toMatchObject({ ok: true, events: 7, from: 10, through: 16 });
    const later = await world.exported({ since: new Date(since.getTime() + DAY * 1000) });
    expect(later).toHaveLength(1);
    expect(await world.verified(later.join(''))).toMatchObject({ ok: true, events: 0 });
  });

  test('of nothing is verified, too', async () => {
    const world = await auditWorld();
    expect(await world.verified((await world.exported()).join(''))).toMatchObject({ ok: true, events: 0, through: 0 });
    expect(await world.verified('')).toMatchObject({ ok: false, faults: [{ problem: 'header' }] });
  });

  test('is nobody else’s: another key did not sign it', async () => {
    const [one, two] = [await auditWorld(), await auditWorld()];
    await one.happen(2);
    expect(await two.verified((await one.exported()).join(''))).toMatchObject({
      ok: false,
      faults: [{ line: 1, problem: 'header', text: expect.stringContaining('is not signed') as string }],
    });
  });

  test('that ends before a checkpoint that a log kept, or is not the one it was of, is found', async () => {
    const world = await auditWorld();
    await world.happen(4);
    const early = await world.exported();
    await world.happen(4);
    await world.exported();
    const log = world.logged.map((line) => JSON.stringify(line)).join('\n');
    const { places, unsigned } = readCheckpoints(`${log}\n{"event":"server.listening"}\nnonsense\n`, world.checker);
    expect({ seqs: places.map(({ seq }) => seq), unsigned }).toEqual({ seqs: [4, 9], unsigned: 0 });
    expect(await world.verified(early.join(''), places.slice(0, 1))).toMatchObject({ ok: true });
    expect(await world.verified(early.join(''), places)).toMatchObject({
      ok: false,
      faults: [{ seq: 5, problem: 'cut-off' }],
    });
    const another = places.slice(0, 1).map((place) => ({ ...place, hash: 'another' }));
    expect(await world.verified(early.join(''), another)).toMatchObject({ ok: false, faults: [{ line: 5, seq: 4 }] });
    const forged = log.replace('"seq":9', '"seq":8');
    expect(readCheckpoints(forged, world.checker)).toMatchObject({ unsigned: 1 });
  });

  test('is found to be another one where two checkpoints of one place differ, or the place is before its first', async () => {
    const world = await auditWorld();
    await world.happen(4);
    const place = signedPlace(await world.audit.chain.checkpoint());
    await world.happen(4);
    const lines = await world.exported();
    const right = { seq: place?.seq ?? 0, hash: place?.hash ?? '', at: '' };
    const other = { ...right, hash: 'of the record that was there before' };
    expect(await world.verified(lines.join(''), [right])).toMatchObject({ ok: true });
    for (const anchors of [
      [right, other],
      [other, right],
    ]) {
      expect(await world.verified(lines.join(''), anchors)).toMatchObject({ ok: false, faults: [{ seq: 4 }] });
    }
    // An instant after the fourth.
    const since = new Date(world.clock.now().getTime() - 3000);
    const late = await world.exported({ since });
    const before = {
      seq: (parsed(late[0])['from'] as number) - 1,
      hash: parsed(late[0])['previous'] as string,
      at: '',
    };
    expect(before.seq).toBeGreaterThan(0);
    expect(await world.verified(late.join(''), [before])).toMatchObject({ ok: true });
    expect(await world.verified(late.join(''), [{ ...before, hash: 'another' }])).toMatchObject({ ok: false });
  });

  test.each([
    [
      'facts that are nested deeper than can be written again',
      (line: string) => line.replace('"nth":0', `"nth":${'['.repeat(200_000)}${']'.repeat(200_000)}`),
    ],
    ['a hash that is none', (line: string) => line.replace(/"hash":"[^"]+"/, `"hash":"${'A'.repeat(900_000)}"`)],
  ])('is judged to its end with a line of %s', async (_what, change) => {
    const world = await auditWorld();
    await world.happen(3);
    const lines = await world.exported();
    const verified = await world.verified(lines.with(1, change(lines[1] ?? '')).join(''));
    expect(verified).toMatchObject({
      ok: false,
      events: 3,
      faults: [{ line: 2, problem: 'not-a-record' }, { line: 3 }],
    });
  });
});

describe('the public key', () => {
  test('is read as it is printed, alone or in a set, and nothing else is', async () => {
    const world = await auditWorld();
    const jwk = await world.audit.publicKey();
    for (const text of [JSON.stringify(jwk), JSON.stringify({ keys: [jwk] })]) {
      expect(readPublicKey(text)).toMatchObject({ kid: jwk.kid });
    }
    const wrong = [
      { ...jwk, kid: 'other' },
      { ...jwk, d: 'secret' },
      { ...jwk, x: 'AA' },
      { ...jwk, crv: 'X25519' },
      {},
      { keys: [null] },
    ];
    for (const each of wrong) expect(typeof readPublicKey(JSON.stringify(each))).toBe('string');
    expect(typeof readPublicKey('no json')).toBe('string');
  });
});

describe('the store’s own record', () => {
  test('is verified as a file is, each detail included', async () => {
    const world = await auditWorld();
    await world.happen(12);
    expect(await world.audit.verify()).toMatchObject({ ok: true, events: 12, through: 12 });
  });

  const thefts: readonly (readonly [string, string, number, string])[] = [
    ['an outcome', "UPDATE events SET outcome = 'other' WHERE seq = 5", 5, 'changed'],
    ['an instant', 'UPDATE events SET at = at + 1 WHERE seq = 5', 5, 'changed'],
    ['a kind', "UPDATE events SET kind = 'username.changed' WHERE seq = 5", 5, 'changed'],
    ['whose it is', "UPDATE events SET account_id = 'person-9' WHERE seq = 5", 5, 'changed'],
    ['whose it is not', 'UPDATE events SET account_id = NULL WHERE seq = 5', 5, 'changed'],
    ['who did it', `UPDATE events SET actor = '{"kind":"operator"}' WHERE seq = 5`, 5, 'changed'],
    ['facts', "UPDATE events SET facts = '{}' WHERE seq = 5", 5, 'changed'],
    ['a commitment', "UPDATE events SET commitment = 'x' WHERE seq = 5", 5, 'changed'],
    ['a hash', "UPDATE events SET hash = 'x' WHERE seq = 5", 5, 'changed'],
    ['a sealed text', "UPDATE events SET sealed = 'v1.1.AAAA' WHERE seq = 5", 5, 'detail'],
    [
      'a sealed text for another',
      'UPDATE events SET sealed = (SELECT sealed FROM events WHERE seq = 4) WHERE seq = 5',
      5,
      'detail',
    ],
    ['a detail that is gone', "UPDATE events SET sealed = '' WHERE seq = 5", 5, 'detail'],
    ['one that is gone', 'DELETE FROM events WHERE seq = 5', 6, 'missing'],
    ['the beginning', 'DELETE FROM events WHERE seq <= 5', 6, 'missing'],
    ['a place', 'UPDATE events SET seq = 55 WHERE seq = 5', 6, 'missing'],
  ];
  for (const [what, sql, seq, problem] of thefts) {
    test(`${what}: found, and where`, async () => {
      const world = await auditWorld();
      await world.store.accounts.insert(account('person-1'), identifiers('person-1'));
      await world.happen(12);
      await world.audit.verify();
      expect(tamper(world, sql)).toBeGreaterThan(0);
      const verified = await world.audit.verify();
      expect(verified).toMatchObject({ ok: false });
      expect(verified.faults[0]).toMatchObject({ line: null, seq, problem });
      // And it is said when it is exported.
      const { pages, following } = await world.audit.export({ reveal: true });
      for await (const _page of pages);
      expect(problem === 'detail' && what === 'a detail that is gone' ? 1 : following.found).toBeGreaterThan(0);
    });
  }

  test('written anew from the middle on, hashes and all, is not the one that checkpoints were signed for', async () => {
    const world = await auditWorld();
    await world.happen(6);
    world.pass(1);
    await world.audit.chain.checkpoint();
    // The thief knows how hashes are made, and has no key.
    tamper(world, "UPDATE events SET outcome = 'forged', seq = NULL, hash = NULL WHERE seq = 4");
    tamper(world, 'UPDATE events SET seq = NULL, hash = NULL WHERE seq > 4');
    const verified = await world.audit.verify();
    expect(verified.faults.map(({ problem }) => problem)).toEqual(['checkpoint']);
    expect(verified.faults[0]).toMatchObject({ seq: 7 });
  });

  test('that lost its end is found by a checkpoint that a log kept', async () => {
    const world = await auditWorld();
    await world.happen(6);
    const place = signedPlace(await world.audit.chain.checkpoint());
    tamper(world, 'DELETE FROM events WHERE seq >= 6');
    expect(await world.audit.verify()).toMatchObject({ ok: true });
    expect(await world.audit.verify({ anchors: place === null ? [] : [place] })).toMatchObject({
      ok: false,
      faults: [{ seq: 5, problem: 'cut-off' }],
    });
  });

  test('goes on to be verified when a person is forgotten, and what was exported before as well', async () => {
    const world = await auditWorld();
    for (const id of ['person-0', 'person-1']) await world.store.accounts.insert(account(id), identifiers(id));
    await world.happen(9);
    const before = await world.exported({ reveal: true });
    await world.journal.forget('person-1');
    const early = await world.audit.verify();
    expect(early.faults[0]).toMatchObject({
      problem: 'detail',
      text: expect.stringContaining('nobody was deleted') as string,
    });
    await world.store.accounts.setStatus({ accountId: 'person-1', status: 'deleted' });
    expect(await world.audit.verify()).toMatchObject({ ok: true });
    world.pass(1);
    const after = await world.exported({ reveal: true });
    expect(after.join('')).toContain('"erased":"');
    expect(await world.verified(after.join(''))).toMatchObject({ ok: true });
    expect(await world.verified(before.join(''))).toMatchObject({ ok: true });
    expect((await world.journal.recent('person-1', 9)).length).toBe(0);
    // That it is forgotten now says nothing of what the earlier file held.
    const emptied = before.with(2, after[2] ?? '');
    expect(await world.verified(emptied.join(''))).toMatchObject({
      ok: false,
      faults: [{ line: 3, problem: 'detail' }],
    });
    // That somebody was forgotten is signed for that event: it vouches for no other.
    const erased = parsed(after[2])['erased'];
    const spoilt = after.with(3, `${JSON.stringify({ ...parsed(after[3]), detail: undefined, erased })}\n`);
    expect(await world.verified(spoilt.join(''))).toMatchObject({
      ok: false,
      faults: [{ line: 4, problem: 'detail' }],
    });
  });

  test('goes on to be verified when every detail is sealed anew', async () => {
    const world = await auditWorld();
    await world.happen(5);
    await world.audit.verify();
    for (const { id, sealed } of await world.store.journal.chained({ after: 0, limit: 9 })) {
      const context = { collection: 'events', field: 'detail', id };
      const anew = world.keyring.seal('event', context, world.keyring.unseal('event', context, sealed));
      expect(tamper(world, `UPDATE events SET sealed = '${anew}' WHERE id = '${id}'`)).toBe(1);
    }
    expect(await world.audit.verify()).toMatchObject({ ok: true, events: 5 });
  });

  test('takes in what was written before there were commitments, salted, so that nobody can guess it', async () => {
    const world = await auditWorld();
    const detail = JSON.stringify({ address: '192.0.2.7' });
    const sealed = world.keyring.seal('event', { collection: 'events', field: 'detail', id: 'old' }, detail);
    await world.happen(1);
    const [newer] = await world.store.journal.unchained(1);
    if (newer === undefined) throw new Error('nothing happened');
    const old = { ...newer, id: 'old', commitment: '', facts: '{}', at: new Date(newer.at.getTime() - 1000) };
    await world.store.journal.append([
      { ...old, sealed },
      { ...old, id: 'broken', sealed: 'v1.1.AAAA' },
    ]);
    expect(await world.audit.verify()).toMatchObject({ faults: [{ seq: 1, problem: 'detail' }], found: 1, events: 3 });
    const [, taken] = await world.store.journal.chained({ after: 0, limit: 9 });
    expect(taken).toMatchObject({ id: 'old', seq: 2 });
    expect(taken?.commitment).not.toBe(createHash('sha256').update(detail).digest('base64url'));
    expect(world.logged.filter(({ event }) => event === 'audit.not-committed')).toHaveLength(1);
  });
});

describe('retention', () => {
  const aged = async (keepDays = 30) => {
    const world = await auditWorld({ keepDays });
    await world.happen(10);
    await world.audit.chain.checkpoint();
    world.pass(20 * DAY);
    await world.happen(5);
    world.pass(15 * DAY);
    await world.happen(3);
    await world.audit.chain.extend();
    return world;
  };

  test('deletes a beginning, and the rest is verified: in the store, and as a file', async () => {
    const world = await aged();
    // Ten, and their checkpoint; what comes after is young enough.
    expect(await world.audit.chain.prune()).toBe(11);
    const [first] = await world.store.journal.chained({ after: 0, limit: 1 });
    expect(first?.seq).toBe(12);
    expect(await world.audit.verify()).toMatchObject({ ok: true, from: 12 });
    const lines = await world.exported();
    expect(parsed(lines[0])).toMatchObject({ from: 12 });
    expect(await world.verified(lines.join(''))).toMatchObject({ ok: true, from: 12 });
    // Once a day is enough.
    world.pass(3600);
    expect(await world.audit.chain.prune()).toBe(0);
    world.pass(17 * DAY);
    expect(await world.audit.chain.prune()).toBe(5);
    expect(await world.audit.verify()).toMatchObject({ ok: true, from: 17 });
  });

  test('keeps everything that is young enough', async () => {
    const world = await aged(40);
    expect(await world.audit.chain.prune()).toBe(0);
    expect(await world.audit.verify()).toMatchObject({ ok: true, from: 1 });
  });

  const after: readonly (readonly [string, string, number, string])[] = [
    ['more of the beginning', 'DELETE FROM events WHERE seq <= 13', 14, 'missing'],
    ['the word that it was deleted in time', "DELETE FROM facts WHERE fact = 'audit-beginning'", 12, 'missing'],
    ['the event that says so', "DELETE FROM events WHERE kind = 'audit.pruned'", 12, 'pruning'],
  ];
  for (const [what, sql, seq, problem] of after) {
    test(`does not hide that a thief takes away ${what}`, async () => {
      const world = await aged();
      await world.audit.chain.prune();
      expect(tamper(world, sql)).toBeGreaterThan(0);
      const { ok, faults } = await world.audit.verify();
      expect(ok).toBe(false);
      expect(faults).toContainEqual(expect.objectContaining({ seq, problem }));
    });
  }

  test('deletes nothing of a record that is not what was written', async () => {
    const world = await aged();
    await world.audit.chain.extend();
    tamper(world, "UPDATE events SET outcome = 'forged' WHERE seq = 3");
    expect(await world.audit.chain.prune()).toBe(0);
    expect(world.logged.at(-1)).toMatchObject({ event: 'audit.not-pruned' });
    expect((await world.store.journal.chained({ after: 0, limit: 1 }))[0]?.seq).toBe(1);
    // Nor what was only made to look old.
    const young = await auditWorld({ keepDays: 30 });
    await young.happen(10);
    await young.audit.chain.extend();
    tamper(young, 'UPDATE events SET at = 0 WHERE seq <= 8');
    expect(await young.audit.chain.prune()).toBe(0);
    expect((await young.store.journal.chained({ after: 0, limit: 1 }))[0]?.seq).toBe(1);
  });

  test('cut off between what stands in the record and what counts is no fault of a record that was pruned before', async () => {
    let broken = false;
    const world = await auditWorld({
      keepDays: 30,
      wrap: (store) => ({
        ...store,
        catalogue: {
          ...store.catalogue,
          changeFact: (change) =>
            broken ? Promise.reject(new Error('the power is gone')) : store.catalogue.changeFact(change),
        },
      }),
    });
    for (broken of [false, true]) {
      await world.happen(10);
      world.pass(40 * DAY);
      await world.happen(3);
      await world.audit.chain.extend();
      if (!broken) expect(await world.audit.chain.prune()).toBe(10);
    }
    await expect(world.audit.chain.prune()).rejects.toThrow('the power is gone');
    expect(await world.audit.verify()).toMatchObject({ ok: true, from: 11 });
  });

  for (const cut of ['append', 'changeFact', 'prune'] as const) {
    test(`cut off at ${cut} leaves a record that is verified, and is finished by the next`, async () => {
      let broken = false;
      const failing = () => Promise.reject(new Error('the power is gone'));
      const world = await auditWorld({
        keepDays: 30,
        wrap: (store) => ({
          ...store,
          journal: {
            ...store.journal,
            append: (events) => (broken && cut === 'append' ? failing() : store.journal.append(events)),
            prune: ({ through }) =>
              // A part is deleted, and then it is cut off.
              broken && cut === 'prune' && through > 0
                ? store.journal.prune({ through, limit: 4 }).then(failing)
                : store.journal.prune({ through, limit: 4 }),
          },
          catalogue: {
            ...store.catalogue,
            changeFact: (change) => (broken && cut === 'changeFact' ? failing() : store.catalogue.changeFact(change)),
          },
        }),
      });
      await world.happen(10);
      world.pass(40 * DAY);
      await world.happen(3);
      await world.audit.chain.extend();
      broken = true;
      await expect(world.audit.chain.prune()).rejects.toThrow('the power is gone');
      broken = false;
      expect(await world.audit.verify()).toMatchObject({ ok: true });
      expect(await world.verified((await world.exported()).join(''))).toMatchObject({ ok: true });
      expect(await world.audit.chain.prune()).toBe(cut === 'prune' ? 6 : 10);
      expect(await world.audit.verify()).toMatchObject({ ok: true, from: 11 });
    });
  }
});
