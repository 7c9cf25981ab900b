/** A rotation of the keyring that is killed, wherever it is, and begun again; and values that do not open. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';

import { loadKeyring, rotateKeyring, sealedWith } from '../../src/platform/keyring.ts';
import { SEALED_COLLECTIONS } from '../../src/store/seals.ts';
import type { Store } from '../../src/store/port.ts';
import { laterBy, rotator } from '../support/rotation.ts';
import { type World, world } from '../support/world.ts';

const VICTIM = new URL('rotation-victim.ts', import.meta.url).pathname;
const NOBODY = { noticedMs: 0 };

/** In the order in which they are passed. */
const POINTS = [
  ['before', 'catalogue.settle'],
  // The new key is in the file, and nobody knows of it.
  ['before', 'catalogue.changeFact', 1],
  ['after', 'catalogue.changeFact', 1],
  // It seals, and nothing is sealed anew.
  ['after', 'catalogue.changeFact', 2],
  ['before', 'seals.replace', 1],
  ['after', 'seals.replace', 1],
  ['after', 'seals.replace', 3],
  // Everything is, and the old key is still there; then it has gone, and that is all that is not written down.
  ['before', 'journal.record', 1],
  ['before', 'catalogue.changeFact', 3],
] as const;

/** Those at which all that is left is to write down that it is over. */
const DONE: ReadonlySet<(typeof POINTS)[number]> = new Set(POINTS.slice(-2));

async function killed({ folder }: World, [side, what, nth = 1]: (typeof POINTS)[number] | readonly [string, string]) {
  const args = [VICTIM, join(folder, 'curfew.yaml'), side, what, String(nth)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const said = text(child.stdout);
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
  expect([signal, await said], `${side} ${what} ${nth}`).toEqual(['SIGKILL', '']);
}

async function versions({ seals }: Store): Promise<Set<number>> {
  const found = new Set<number>();
  for (const collection of SEALED_COLLECTIONS) {
    for (const { fields } of await seals.rows(collection, { limit: 1000 })) {
      for (const field of Object.values(fields)) found.add(sealedWith(field) ?? 0);
    }
  }
  found.delete(0);
  return found;
}

test(
  'killed anywhere, the next one goes on, with the key that there is, and comes to its end',
  { timeout: 300_000 },
  async () => {
    for (const point of POINTS) {
      const place = await world();
      const { alice, player, core } = place;
      const browser = await alice.signIn();
      const tokens = await player.signIn(alice, browser);
      await killed(place, point);

      // Half rotated: whoever serves goes on by both keys, and so does whoever starts.
      await core.sealingKeyWatch.look();
      await browser.open('/account');
      expect([browser.path, browser.page.status], point.join(' ')).toEqual(['/account', 200]);
      expect(await core.accounts.find(alice.id)).toMatchObject({ username: 'alice' });

      const next = await rotator(place, { ...NOBODY, clock: laterBy(31) });
      const rotated = await next.rotate();
      expect(rotated, point.join(' ')).toMatchObject({ version: 2, finished: true, left: [] });
      if (DONE.has(point)) expect([rotated.resealed, rotated.removed]).toEqual([0, []]);
      expect(await versions(next.store)).toEqual(new Set([2]));
      expect(loadKeyring(place.config.keyringFile).keys.map((key) => key.version)).toEqual([2]);
      expect(await next.sealingKeys.status()).toMatchObject({ unfinished: false, held: true, sealing: 2 });

      await core.sealingKeyWatch.look();
      const refreshed = await player.refresh(tokens);
      expect(refreshed, point.join(' ')).toHaveProperty('access_token');
      await place.stop();
    }
  },
);

test('killed while it staged a key, a rotation takes that one', async () => {
  const place = await world();
  const next = await rotator(place, NOBODY);
  await next.store.catalogue.settle('sealing-key', `1 ${next.keyring.fingerprint(1)}`);
  rotateKeyring(place.config.keyringFile);
  expect(await next.sealingKeys.stage()).toEqual({ version: 2, made: false });
  expect(await next.rotate()).toMatchObject({ version: 2, removed: [1] });
});

test('what does not open is told and left as it is, and its key stays', async () => {
  const place = await world();
  const { rotate, store, sealingKeys } = await rotator(place, NOBODY);
  await place.player.signIn(place.alice);
  const [row] = await store.seals.rows('clientSessions', { limit: 1 });
  const sealed = row?.fields['sealedDevice'] ?? '';
  // The last letter but one, so that it is still spelt as it should be.
  const broken = `${sealed.slice(0, -6)}${sealed.at(-6) === 'A' ? 'B' : 'A'}${sealed.slice(-5)}`;
  const change = { id: row?.id ?? '', accountId: null, field: 'sealedDevice', from: sealed, to: broken };
  expect(await store.seals.replace('clientSessions', [change])).toBe(1);
  await store.artifacts.save({
    model: 'SomethingElse',
    key: new Uint8Array(32),
    payload: sealed,
    stamps: {},
    expiresAt: new Date(Date.now() + 600_000),
  });

  const rotated = await rotate();

  expect(rotated).toMatchObject({ version: 2, finished: true, removed: [] });
  expect(rotated.left).toEqual([
    { collection: 'clientSessions', version: 1, values: 1, why: 'broken' },
    { collection: 'artifacts', version: 1, values: 1, why: 'unknown' },
  ]);
  expect(await store.seals.rows('clientSessions', { limit: 1 })).toEqual([
    { ...row, fields: { sealedDevice: broken } },
  ]);
  expect(loadKeyring(place.config.keyringFile).keys.map(({ version }) => version)).toEqual([1, 2]);
  expect(await sealingKeys.count({ signal: new AbortController().signal, report: () => undefined })).toEqual(
    new Map([
      [1, 2],
      [2, expect.any(Number)],
    ]),
  );
});

test('where somebody goes on sealing with the old key it comes to its end all the same, and the key stays', async () => {
  const place = await world();
  const { rotate, sealingKeys } = await rotator(place, {
    ...NOBODY,
    // As if a process that lacks the new key put each one back at once.
    wrapStore: (store) => ({
      ...store,
      seals: {
        ...store.seals,
        replace: async (collection, changes) =>
          collection === 'accounts' ? changes.length : store.seals.replace(collection, changes),
      },
    }),
  });
  expect(await rotate()).toMatchObject({
    finished: true,
    removed: [],
    left: [{ collection: 'accounts', version: 1, values: 4, why: 'renewed' }],
  });
  expect(loadKeyring(place.config.keyringFile).keys.map(({ version }) => version)).toEqual([1, 2]);
  expect(await sealingKeys.missing()).toEqual([]);
});

test('values of a key that nobody has are told of, and take no other with them', async () => {
  const place = await world();
  const { rotate, store, sealingKeys } = await rotator(place, NOBODY);
  const account = await store.accounts.find(place.alice.id);
  const from = account?.sealedEmail ?? '';
  const to = from.replace('v1.1.', 'v1.7.');
  await store.seals.replace('accounts', [{ id: place.alice.id, accountId: null, field: 'sealedEmail', from, to }]);
  expect(await sealingKeys.missing()).toEqual([7]);
  expect(await rotate()).toMatchObject({
    left: [{ collection: 'accounts', version: 7, values: 1, why: 'broken' }],
    removed: [1],
  });
});

test('a process that lacks the new key goes on with the old one, says so, and what it seals is told of', async () => {
  const place = await world();
  const { alice, core, logged } = place;
  const { rotate, sealingKeys } = await rotator(place, NOBODY);
  const lacking = { version: 2, fingerprint: 'feedfeedfeedfeed' };
  await core.store.catalogue.settle('sealing-key', '2 feedfeedfeedfeed');
  expect(core.keyring.sealWith(lacking)).toBe(false);
  expect(await core.sealingKeyWatch.look()).toBe(false);
  const complaint = logged
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .find(({ level }) => level === 'error');
  expect(complaint).toMatchObject({ event: 'keyring.sealing-key-missing', version: 2, sealsWith: 1 });
  const browser = await alice.signIn();
  expect(browser.path).toBe('/account');
  await expect(rotate()).rejects.toMatchObject({ kind: 'behind' });
  await expect(sealingKeys.stage()).rejects.toMatchObject({ kind: 'behind' });
  // It starts so, too.
  await place.restart();
  expect(place.core.keyring.current).toBe(1);
  expect(loadKeyring(place.config.keyringFile).keys).toHaveLength(1);
});
