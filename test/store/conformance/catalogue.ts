import { describe, expect } from 'vitest';
import type { Store } from '../../../src/store/port.ts';
import { at, client, day, signOutRequest, signingKey, start } from '../../support/records.ts';
import type { StoreTest } from '../conformance.ts';
import { atOnce, ids, isAlive, save, walk } from './together.ts';

const removal = (id: string, clientId = 'player') => signOutRequest(id, { kind: 'client', clientId });

const versionOf = async (store: Store, clientId: string) => (await store.catalogue.findClient(clientId))?.version ?? -1;

const byKid = (left: { kid: string }, right: { kid: string }) => (left.kid < right.kid ? -1 : 1);

export function catalogueConformance(test: StoreTest): void {
  describe('saveClient', () => {
    test('a saved client is found by every handle as it was given, active', async ({ store, other }) => {
      const player = client('player', {
        source: 'registration',
        metadata: { redirect_uris: ['https://a.example/'], 'x.y': { $deep: [1, null, true] }, name: 'Plåyer' },
      });
      expect(await store.catalogue.saveClient(player)).toBe('saved');
      expect(await other.catalogue.findClient('player')).toEqual({
        ...player,
        status: 'active',
        version: expect.any(Number),
      });
    });

    test('a client nobody saved is not found', async ({ store }) => {
      expect(await store.catalogue.findClient('player')).toBeNull();
    });

    test('saving again replaces the metadata and raises the version, whatever changed', async ({ store, other }) => {
      await store.catalogue.saveClient(client('player', { metadata: { a: 1, b: 2 } }));
      const first = await versionOf(store, 'player');
      await other.catalogue.saveClient(client('player', { metadata: { a: 3 } }));
      expect((await store.catalogue.findClient('player'))?.metadata).toEqual({ a: 3 });
      expect(await versionOf(store, 'player')).toBeGreaterThan(first);
    });

    test('changes at once through two handles each raise the version', async ({ store, other }) => {
      await store.catalogue.saveClient(client('player'));
      const first = await versionOf(store, 'player');
      await atOnce(20, [store, other], (handle, index) =>
        handle.catalogue.saveClient(client('player', { metadata: { index } })),
      );
      expect(await versionOf(other, 'player')).toBeGreaterThanOrEqual(first + 20);
    });

    test('one client’s version is not another’s', async ({ store }) => {
      await store.catalogue.saveClient(client('player'));
      const first = await versionOf(store, 'player');
      await store.catalogue.saveClient(client('tv'));
      expect(await versionOf(store, 'player')).toBe(first);
    });
  });

  test('clients are listed by id, ascending, page after page, each once', async ({ store }) => {
    for (const id of ['tv', 'player', 'Phone', 'web', 'car']) await store.catalogue.saveClient(client(id));
    const walked = await walk(
      2,
      (page) => store.catalogue.listClients(page),
      ({ id }) => id,
    );
    expect(ids(walked)).toEqual(['Phone', 'car', 'player', 'tv', 'web']);
    expect(walked[0]).toMatchObject({ ...client('Phone'), status: 'active' });
  });

  describe('deleteClient', () => {
    test('leaves a tombstone and signs everyone out of this client, at once', async ({ store, other }) => {
      await store.catalogue.saveClient(client('player'));
      const here = await save(store, 'here', { 'client:player': 0 });
      const elsewhere = await save(store, 'elsewhere', { 'client:tv': 0 });
      const before = await versionOf(store, 'player');
      expect(await store.catalogue.deleteClient('player', removal('removal'))).toBe('deleted');
      expect(await other.catalogue.findClient('player')).toMatchObject({ id: 'player', status: 'deleted' });
      expect(await versionOf(other, 'player')).toBeGreaterThan(before);
      expect(await other.revocations.epochs(['client:player', 'client:tv'])).toEqual({
        'client:player': 1,
        'client:tv': 0,
      });
      expect(ids(await other.revocations.pendingSignOuts(5))).toEqual(['removal']);
      expect(await isAlive(other, here)).toBe(false);
      expect(await isAlive(other, elsewhere)).toBe(true);
    });

    test('an unknown client is unknown, and nothing is raised', async ({ store }) => {
      expect(await store.catalogue.deleteClient('player', removal('removal'))).toBe('unknown');
      expect(await store.catalogue.findClient('player')).toBeNull();
      expect(await store.revocations.epochs(['client:player'])).toEqual({ 'client:player': 0 });
      expect(await store.revocations.findSignOut('removal')).toBeNull();
      expect(await store.revocations.pendingSignOuts(5)).toEqual([]);
    });

    test('a retry with the same sign-out raises nothing more', async ({ store, other }) => {
      await store.catalogue.saveClient(client('player'));
      await atOnce(6, [store, other], (handle) => handle.catalogue.deleteClient('player', removal('removal')));
      expect(await store.revocations.epochs(['client:player'])).toEqual({ 'client:player': 1 });
      expect(await store.revocations.listSignOuts(5)).toHaveLength(1);
    });

    test('a deleted id is never saved again', async ({ store, other }) => {
      await store.catalogue.saveClient(client('player', { metadata: { old: true } }));
      await store.catalogue.deleteClient('player', removal('removal'));
      const tombstone = await store.catalogue.findClient('player');
      expect(await other.catalogue.saveClient(client('player', { metadata: { new: true } }))).toBe('deleted');
      expect(await store.catalogue.findClient('player')).toEqual(tombstone);
    });

    test('a save raced against the deletion never outlives it', async ({ store, other }) => {
      await store.catalogue.saveClient(client('player'));
      await Promise.all([
        store.catalogue.deleteClient('player', removal('removal')),
        ...Array.from({ length: 10 }, () => other.catalogue.saveClient(client('player'))),
      ]);
      expect((await store.catalogue.findClient('player'))?.status).toBe('deleted');
    });
  });

  describe('reinstateClient', () => {
    test('the record lives and is saved again; its epoch stays raised and what died stays dead', async ({
      store,
      other,
    }) => {
      const player = client('player', { source: 'configuration', metadata: {} });
      await store.catalogue.saveClient(player);
      const token = await save(store, 'token', { 'client:player': 0 });
      await store.catalogue.deleteClient('player', removal('removal'));
      const deleted = await versionOf(store, 'player');

      await other.catalogue.reinstateClient('player');
      expect(await store.catalogue.findClient('player')).toMatchObject({ id: 'player', status: 'active' });
      expect(await versionOf(store, 'player')).toBeGreaterThan(deleted);
      expect(await store.revocations.epochs(['client:player'])).toEqual({ 'client:player': 1 });
      expect(await isAlive(store, token)).toBe(false);
      expect(ids(await store.revocations.pendingSignOuts(5))).toEqual(['removal']);
      expect(await store.catalogue.saveClient(player)).toBe('saved');
    });

    test('an unknown client is not invented, and a living one stays as it is', async ({ store }) => {
      await store.catalogue.saveClient(client('tv'));
      const before = await store.catalogue.findClient('tv');
      await store.catalogue.reinstateClient('player');
      await store.catalogue.reinstateClient('tv');
      expect(await store.catalogue.findClient('player')).toBeNull();
      expect(await store.catalogue.findClient('tv')).toMatchObject({ ...before, version: expect.any(Number) });
    });
  });

  describe('signing keys', () => {
    test('an added key is listed by every handle as it was given', async ({ store, other }) => {
      const keys = [signingKey('a'), signingKey('b', { alg: 'RS256', retiresAt: at(day) })];
      for (const key of keys) expect(await store.catalogue.addSigningKey(key)).toBe(true);
      expect([...(await other.catalogue.listSigningKeys())].sort(byKid)).toEqual(keys);
    });

    test('a new store has no keys', async ({ store }) => {
      expect(await store.catalogue.listSigningKeys()).toEqual([]);
    });

    test('a key id is given once: the second key is refused and changes nothing', async ({ store, other }) => {
      await store.catalogue.addSigningKey(signingKey('a'));
      expect(await other.catalogue.addSigningKey(signingKey('a', { sealedJwk: 'sealed:another' }))).toBe(false);
      expect(await store.catalogue.listSigningKeys()).toEqual([signingKey('a')]);
    });

    test('of two nodes that add one key id at once, exactly one did', async ({ store, other }) => {
      const added = await atOnce(10, [store, other], (handle, index) =>
        handle.catalogue.addSigningKey(signingKey('a', { sealedJwk: `sealed:${index}` })),
      );
      expect(added.filter(Boolean)).toHaveLength(1);
      expect(await store.catalogue.listSigningKeys()).toEqual([
        signingKey('a', { sealedJwk: `sealed:${added.indexOf(true)}` }),
      ]);
    });

    test('a retired key says when it goes; a removed one is gone, and the others stay', async ({ store, other }) => {
      for (const kid of ['a', 'b', 'c']) await store.catalogue.addSigningKey(signingKey(kid));
      await store.catalogue.retireSigningKey('a', at(day));
      await store.catalogue.removeSigningKey('b');
      expect([...(await other.catalogue.listSigningKeys())].sort(byKid)).toEqual([
        signingKey('a', { retiresAt: at(day) }),
        signingKey('c'),
      ]);
    });

    test('retiring or removing a key that is not there is no error', async ({ store }) => {
      await store.catalogue.retireSigningKey('a', at(day));
      await store.catalogue.removeSigningKey('a');
      expect(await store.catalogue.listSigningKeys()).toEqual([]);
    });
  });

  describe('settle', () => {
    test('the first value offered stands for good', async ({ store, other }) => {
      expect(await store.catalogue.fact('keyring')).toBeNull();
      expect(await store.catalogue.settle('keyring', 'first')).toBe('first');
      expect(await other.catalogue.settle('keyring', 'second')).toBe('first');
      expect(await other.catalogue.fact('keyring')).toBe('first');
      expect(await store.catalogue.fact('other')).toBeNull();
    });

    test('of many values offered at once one stands, and everyone is told the same', async ({ store, other }) => {
      const told = await atOnce(50, [store, other], (handle, index) => handle.catalogue.settle('keyring', `${index}`));
      expect(new Set(told).size).toBe(1);
      expect(await store.catalogue.fact('keyring')).toBe(told[0]);
    });

    test('an empty value is a value', async ({ store }) => {
      expect(await store.catalogue.settle('note', '')).toBe('');
      expect(await store.catalogue.settle('note', 'later')).toBe('');
      expect(await store.catalogue.fact('note')).toBe('');
    });

    test('is changed by whoever knows what it is, and by one of those who do so at once', async ({ store, other }) => {
      const { catalogue } = store;
      expect(await catalogue.changeFact({ fact: 'key', from: 'first', to: 'second' })).toBe(false);
      const made = await atOnce(8, [store, other], (handle, index) =>
        handle.catalogue.changeFact({ fact: 'key', from: null, to: `first ${index}` }),
      );
      expect(made.filter(Boolean)).toHaveLength(1);
      const standing = `first ${made.indexOf(true)}`;
      expect(await other.catalogue.fact('key')).toBe(standing);
      const changed = await atOnce(8, [store, other], (handle, index) =>
        handle.catalogue.changeFact({ fact: 'key', from: standing, to: `second ${index}` }),
      );
      expect(changed.filter(Boolean)).toHaveLength(1);
      expect(await catalogue.fact('key')).toBe(`second ${changed.indexOf(true)}`);
      expect(await catalogue.settle('key', 'third')).toBe(`second ${changed.indexOf(true)}`);
      expect(await catalogue.fact('other')).toBeNull();
    });
  });

  test('saving a client does not raise its epoch', async ({ store }) => {
    await store.catalogue.saveClient(client('player'));
    const token = await save(store, 'token', { 'client:player': 0 });
    await store.catalogue.saveClient(client('player', { createdAt: start }));
    expect(await isAlive(store, token)).toBe(true);
  });
}
