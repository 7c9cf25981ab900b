/** What others change while everything is sealed anew: held open at the moment between a text's being read and replaced. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';

import { systemClock } from '../../src/platform/clock.ts';
import { KeyringProblem, loadKeyring, rotateKeyring, sealedWith } from '../../src/platform/keyring.ts';
import { RotationBusy } from '../../src/resealing/rotation.ts';
import { type Call, createGates } from '../support/gates.ts';
import { laterBy, rotator } from '../support/rotation.ts';
import { world } from '../support/world.ts';

/** Nobody serves in a process of its own in these, so nobody has to be waited for. */
const NOBODY = { noticedMs: 0 };

const replacing =
  (collection: string) =>
  ({ method, args }: Call): boolean =>
    method === 'seals.replace' && args[0] === collection;

test('an address changed between its being read and replaced is the new one, sealed anew by the next walk', async () => {
  const { alice, core, ...place } = await world();
  const gates = createGates(() => true);
  const { rotate, store } = await rotator(place, { ...NOBODY, wrapStore: gates.wrapStore });
  const gate = gates.set(replacing('accounts'));
  const rotating = rotate();
  await gate.reached;
  expect(
    await core.accounts.changeEmail({
      accountId: alice.id,
      from: alice.email,
      email: 'alice@elsewhere.test',
      verified: true,
    }),
  ).toBe('changed');
  gate.open();
  expect(await rotating).toMatchObject({ finished: true, left: [], removed: [1] });
  expect(await core.accounts.find(alice.id)).toMatchObject({ email: 'alice@elsewhere.test' });
  const record = await store.accounts.find(alice.id);
  expect([record?.sealedEmail, record?.sealedUsername].map((text) => sealedWith(text ?? ''))).toEqual([2, 2]);
});

test('an address replaced between being read and changed by its owner is changed all the same', async () => {
  const gates = createGates(() => true);
  const { alice, core, ...place } = await world({ seams: { wrapStore: gates.wrapStore } });
  const { rotate } = await rotator(place, NOBODY);
  const gate = gates.set(({ method }) => method === 'accounts.identify');
  const changing = core.accounts.changeEmail({
    accountId: alice.id,
    from: alice.email,
    email: 'alice@elsewhere.test',
    verified: true,
  });
  await gate.reached;
  expect(await rotate()).toMatchObject({ finished: true, left: [] });
  gate.open();
  expect(await changing).toBe('changed');
  expect(await core.accounts.find(alice.id)).toMatchObject({ email: 'alice@elsewhere.test' });
});

test('a name changed by somebody else at that moment is still theirs', async () => {
  const gates = createGates(() => true);
  const { alice, core } = await world({ seams: { wrapStore: gates.wrapStore } });
  const gate = gates.set(({ method }) => method === 'accounts.identify');
  const changing = core.accounts.changeUsername({ accountId: alice.id, username: 'alicia' });
  await gate.reached;
  expect(await core.accounts.changeUsername({ accountId: alice.id, username: 'alison' })).toBe('changed');
  gate.open();
  expect(await changing).toBe('stale');
  expect(await core.accounts.find(alice.id)).toMatchObject({ username: 'alison' });
});

test('of two rotations at once one is turned away, and there is one new key', async () => {
  const place = await world();
  const gates = createGates(() => true);
  const first = await rotator(place, { ...NOBODY, wrapStore: gates.wrapStore });
  const second = await rotator(place, NOBODY);
  const gate = gates.set(replacing('accounts'));
  const rotating = first.rotate();
  await gate.reached;
  await expect(second.rotate()).rejects.toThrow(RotationBusy);
  await expect(second.sealingKeys.stage()).rejects.toThrow(RotationBusy);
  gate.open();
  expect(await rotating).toMatchObject({ version: 2 });
  expect(loadKeyring(place.config.keyringFile).keys.map(({ version }) => version)).toEqual([2]);
});

test('one that was taken for dead stops where it is, and another goes on with its key', async () => {
  const place = await world();
  const gates = createGates(() => true);
  let secondsAhead = 0;
  const clock = { ...systemClock, now: () => laterBy(secondsAhead).now() };
  const first = await rotator(place, { ...NOBODY, wrapStore: gates.wrapStore, clock });
  const second = await rotator(place, { ...NOBODY, clock: laterBy(40) });
  const gate = gates.set(({ method, args }) => method === 'seals.rows' && args[0] === 'accounts');
  const rotating = first.rotate();
  await gate.reached;
  const holding = {
    name: 'keyring-rotation',
    holder: 'another',
    now: laterBy(40).now(),
    leaseUntil: laterBy(70).now(),
  };
  expect(await second.store.leases.hold(holding)).toBe(true);
  secondsAhead = 41;
  gate.open();
  await expect(rotating).rejects.toThrow(RotationBusy);
  expect(await second.store.accounts.find(place.alice.id)).toMatchObject({
    sealedEmail: expect.stringMatching(/^v1\.1\./),
  });
  await second.store.leases.release(holding);
  expect(await second.rotate()).toMatchObject({ version: 2, finished: true, left: [], removed: [1] });
});

test('a key of the same version that was made elsewhere is not taken for the one that seals', async () => {
  const place = await world();
  const { rotate, store } = await rotator(place, NOBODY);
  await rotate({ keepOld: true });
  // Another machine, whose copy of the file was added to by itself.
  const elsewhere = { config: { ...place.config, keyringFile: `${place.config.keyringFile}.elsewhere` } };
  copyFileSync(place.config.keyringFile, elsewhere.config.keyringFile);
  const file = JSON.parse(readFileSync(elsewhere.config.keyringFile, 'utf8')) as { keys: unknown[] };
  writeFileSync(elsewhere.config.keyringFile, JSON.stringify({ ...file, keys: file.keys.slice(0, 1) }));
  rotateKeyring(elsewhere.config.keyringFile);

  const there = await rotator(elsewhere, NOBODY);
  expect(there.keyring.current).toBe(1);
  expect(await there.sealingKeys.status()).toMatchObject({ sealing: 2, held: false });
  await expect(there.rotate()).rejects.toThrow(KeyringProblem);
  expect(loadKeyring(elsewhere.config.keyringFile).keys).toHaveLength(2);
  expect(await store.catalogue.fact('sealing-key')).toMatch(/^2 /);
});
