import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { commandWorld, curfew, here as hereAlone } from './support.ts';

type Line = { seq: number; kind: string; outcome: string; accountId: string | null; facts: Record<string, unknown> };
type Verdict = { verified: boolean; events: number; through: number; faults: { line: number; seq: number }[] };

/** A house in which something has happened: who came in, who did not, and what an operator did. */
async function lived() {
  const made = await commandWorld();
  const { alice, player, core, file, here } = made;
  await player.signIn(alice);
  const wrong = file('wrong', 'not the password of anybody');
  expect(
    await core.signIn.verifyPassword({
      identifier: alice.username,
      password: 'not the password of anybody',
      address: '192.0.2.1',
      noteEpoch: async () => {},
    }),
  ).toEqual({ refused: 'wrong-credentials' });
  await core.signIn.verifyPassword({
    identifier: 'nobody-at-all',
    password: 'not the password of anybody',
    address: '192.0.2.1',
    noteEpoch: async () => {},
  });
  await core.later.flush();
  await alice.signOutOfAllDevices();
  await core.fanOut.runUntilIdle();
  await core.deliveries.runUntilIdle();
  await core.later.flush();
  expect(await here('account', 'disable', alice.username, '--yes', '--wait', '0')).toMatchObject({ stderr: '' });
  return { ...made, wrong };
}

const linesOf = (text: string): Line[] =>
  text
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => JSON.parse(line) as Line);

test('what happened is exported, and verified elsewhere with the public key and nothing else', async () => {
  const { here, run, alice, file, folder } = await lived();
  const key = file('key.json', (await here('audit', 'key')).stdout);
  const out = join(folder, 'record.jsonl');

  const exported = await here('audit', 'export', '--out', out, '--json');

  expect(exported).toMatchObject({ code: 0 });
  expect(statSync(out).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder).filter((name) => name.includes('.part'))).toEqual([]);
  const text = readFileSync(out, 'utf8');
  expect(exported.json()).toMatchObject({ file: out, events: text.trimEnd().split('\n').length - 1 });
  expect(text).not.toContain(alice.username);
  const happened = linesOf(text);
  expect(happened.map(({ seq }) => seq)).toEqual(happened.map((_, index) => index + 1));
  const found = (kind: string) => happened.filter((each) => each.kind === kind);
  expect(found('account.signed-in')[0]).toMatchObject({ accountId: alice.id, facts: { methods: 'pwd' } });
  // Of whom nobody is, nothing is kept.
  expect(found('sign-in.refused')).toEqual([
    expect.objectContaining({
      accountId: alice.id,
      outcome: 'wrong-credentials',
      facts: { authenticator: 'password' },
    }),
  ]);
  expect(found('sign-out.made').map(({ facts }) => [facts['scope'], facts['reason']])).toContainEqual([
    'account',
    'At your request',
  ]);
  expect(found('delivery.delivered')[0]).toMatchObject({ outcome: 'answered 200', facts: { client: 'player' } });
  expect(found('account.disabled')).toEqual([expect.objectContaining({ actor: { kind: 'operator' } })]);
  expect(found('audit.checkpoint').length).toBeGreaterThan(0);

  // Another machine: no configuration, no store, no keyring.
  const verified = await curfew(['audit', 'verify', out, '--key', key, '--json'], { cwd: '/' });
  expect(verified).toMatchObject({ code: 0, stderr: '' });
  expect(verified.json()).toMatchObject({ verified: true, through: happened.length, faults: [] });
  const piped = await curfew(['audit', 'verify', '-', '--key', key], { input: text, cwd: '/' });
  expect(piped).toMatchObject({ code: 0, stderr: '' });
  expect(piped.stdout).toMatch(/^Verified: \d+ events, 1 through \d+, each as it was written\.\nLast checkpoint: 2/);
  // And where it is kept.
  const inside = await run('audit', 'verify', '--json');
  expect(inside).toMatchObject({ code: 0 });
  expect((inside.json() as Verdict).through).toBeGreaterThanOrEqual(happened.length);
});

test('what was edited is found, and said where, with exit code 1', async () => {
  const { here, file } = await lived();
  const key = file('key.json', (await here('audit', 'key')).stdout);
  const lines = (await here('audit', 'export')).stdout.split('\n');
  const forged = file('forged.jsonl', lines.with(3, lines[3]?.replace('"done"', '"dead"') ?? '').join('\n'));
  const found = await hereAlone(['audit', 'verify', forged, '--key', key, '--json']);
  const verdict = found.json() as Verdict;
  expect(found.code).toBe(1);
  expect(verdict).toMatchObject({ verified: false, faults: [{ line: 4, seq: 3, problem: 'changed' }] });
  const told = await hereAlone(['audit', 'verify', forged, '--key', key]);
  expect(told).toMatchObject({ code: 1, stdout: 'line 4: event 3 is not what its hash says: it was changed\n' });
  expect(told.stderr).toContain('the record is not what was written: 1 fault');
});

test('the store’s own record is not what was written: verifying and exporting say so', async () => {
  const { here, database } = await lived();
  await here('audit', 'verify');
  await database.alter('events', { where: { seq: 2 }, set: { outcome: 'forged' } });
  expect(await here('audit', 'verify')).toMatchObject({ code: 1, stdout: expect.stringMatching(/^event 2 is not/) });
  const exported = await here('audit', 'export');
  expect(exported).toMatchObject({ code: 1, stderr: expect.stringContaining('event 2 is not what its hash says') });
  expect(exported.stdout).toContain('"forged"');
});

test('details are in it only where they are asked for', async () => {
  const { here, file } = await lived();
  const key = file('key.json', (await here('audit', 'key')).stdout);
  expect((await here('audit', 'export')).stdout).not.toContain('192.0.2.1');
  const revealed = (await here('audit', 'export', '--reveal')).stdout;
  expect(revealed).toContain('192.0.2.1');
  expect(await hereAlone(['audit', 'verify', file('revealed.jsonl', revealed), '--key', key])).toMatchObject({
    code: 0,
  });
});

test('what cannot be verified with is refused, with a fix', async () => {
  const { here, file } = await commandWorld();
  const record = file('record.jsonl', (await here('audit', 'export')).stdout);
  const other = file('other.json', '{"kty":"RSA"}');
  expect(await hereAlone(['audit', 'verify', record])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('audit key'),
  });
  expect(await hereAlone(['audit', 'verify', record, '--key', other])).toMatchObject({ code: 2, stdout: '' });
  expect(await hereAlone(['audit', 'verify', `${record}.none`, '--key', other])).toMatchObject({ code: 2 });
  expect(await here('audit', 'export', '--since', 'yesterday')).toMatchObject({ code: 2, stdout: '' });
});
