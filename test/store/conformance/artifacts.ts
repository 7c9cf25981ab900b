import { describe, expect } from 'vitest';
import type { Store } from '../../../src/store/port.ts';
import type { ArtifactRecord } from '../../../src/store/records.ts';
import { artifact, at, clientSession, day, digest, hour, signOutOf, start } from '../../support/records.ts';
import type { StoreTest } from '../conformance.ts';
import { atOnce, populate } from './together.ts';

const hex = (key: Uint8Array | undefined) => (key === undefined ? undefined : Buffer.from(key).toString('hex'));

const payloadOf = async (store: Store, { key }: ArtifactRecord, now = start) =>
  (await store.artifacts.find(key, now))?.payload ?? null;

const session = (name: string, overrides: Partial<ArtifactRecord> = {}) =>
  artifact(name, { model: 'Session', uid: `uid:${name}`, accountId: 'alice', ...overrides });

export function artifactsConformance(test: StoreTest): void {
  describe('save and find', () => {
    test('a saved artifact is found by its key through every handle', async ({ store, other }) => {
      const code = artifact('code', { stamps: { everyone: 0, 'account:alice': 0 } });
      await store.artifacts.save(code);
      const found = await other.artifacts.find(code.key, start);
      expect(found).toMatchObject({ payload: code.payload, consumedAt: null, epochs: code.stamps });
      expect(hex(found?.key)).toBe(hex(code.key));
    });

    test('a key that nobody saved is not found', async ({ store }) => {
      await store.artifacts.save(artifact('code'));
      expect(await store.artifacts.find(digest('AccessToken', 'other'), start)).toBeNull();
      expect(await store.artifacts.find(digest('RefreshToken', 'code'), start)).toBeNull();
    });

    test('a payload comes back character by character', async ({ store }) => {
      const payload = JSON.stringify({ text: 'Zoë 日本 🎬 \u0000 \u2028 "quoted" \\', long: 'x'.repeat(200_000) });
      await store.artifacts.save(artifact('code', { payload }));
      expect(await payloadOf(store, artifact('code'))).toBe(payload);
    });

    test('saving again replaces payload, stamps and expiry', async ({ store, other }) => {
      const code = artifact('code', { stamps: { everyone: 0 } });
      await store.artifacts.save(code);
      const stamps = { everyone: 0, 'account:alice': 0 } as const;
      await other.artifacts.save({ ...code, payload: '{"again":true}', stamps, expiresAt: at(2 * hour) });
      expect(await store.artifacts.find(code.key, at(1.5 * hour))).toMatchObject({
        payload: '{"again":true}',
        epochs: stamps,
      });
    });

    test('saving again moves the artifact to its new uid, user code and account', async ({ store }) => {
      const one = session('one', { userCode: 'code:one' });
      await store.artifacts.save(one);
      await store.artifacts.save({ ...one, uid: 'uid:two', userCode: 'code:two', accountId: 'bob' });
      expect(await store.artifacts.findByUid('Session', 'uid:one', start)).toBeNull();
      expect(await store.artifacts.findByUserCode('code:one', start)).toBeNull();
      expect(await store.artifacts.sessionsOf('alice', start)).toEqual([]);
      expect(await store.artifacts.findByUid('Session', 'uid:two', start)).not.toBeNull();
      expect(await store.artifacts.findByUserCode('code:two', start)).not.toBeNull();
      expect(await store.artifacts.sessionsOf('bob', start)).toHaveLength(1);
    });

    test('saves of one artifact at once leave one of them, whole', async ({ store, other }) => {
      await atOnce(20, [store, other], (handle, index) =>
        handle.artifacts.save(session('one', { payload: `{"n":${index}}`, uid: `uid:${index}` })),
      );
      const payload = await payloadOf(store, session('one'));
      const { n } = JSON.parse(payload ?? '') as { n: number };
      expect((await other.artifacts.findByUid('Session', `uid:${n}`, start))?.payload).toBe(payload);
      expect(await store.artifacts.sessionsOf('alice', start)).toHaveLength(1);
    });
  });

  describe('expiry', () => {
    test('an artifact is found until the instant it expires, and not from that instant on', async ({ store }) => {
      const saved = session('one', { userCode: 'code', expiresAt: at(60) });
      await store.artifacts.save(saved);
      const doors = async (now: Date) => [
        (await store.artifacts.find(saved.key, now)) !== null,
        (await store.artifacts.findByUid('Session', 'uid:one', now)) !== null,
        (await store.artifacts.findByUserCode('code', now)) !== null,
        (await store.artifacts.sessionsOf('alice', now)).length === 1,
      ];
      expect(await doors(at(59.999))).toEqual([true, true, true, true]);
      expect(await doors(at(60))).toEqual([false, false, false, false]);
      expect(await doors(at(60 + day))).toEqual([false, false, false, false]);
      // The given instant decides, not the last one asked.
      expect(await doors(start)).toEqual([true, true, true, true]);
    });

    test('an expired artifact cannot be consumed, and one about to expire can', async ({ store }) => {
      const code = artifact('code', { expiresAt: at(60) });
      await store.artifacts.save(code);
      expect(await store.artifacts.consume(code.key, at(60))).toBe(false);
      expect(await store.artifacts.consume(code.key, at(59.999))).toBe(true);
    });

    test('saving again may prolong it', async ({ store }) => {
      await store.artifacts.save(artifact('code', { expiresAt: at(60) }));
      await store.artifacts.save(artifact('code', { expiresAt: at(120) }));
      expect(await payloadOf(store, artifact('code'), at(90))).not.toBeNull();
    });
  });

  describe('insert', () => {
    test('inserts what is not there, and is found like a saved one', async ({ store, other }) => {
      const proof = artifact('jti', { model: 'ReplayDetection' });
      expect(await store.artifacts.insert(proof, start)).toBe(true);
      expect(await payloadOf(other, proof)).toBe(proof.payload);
    });

    test('a key that is there is refused, and what is there stays', async ({ store, other }) => {
      const proof = artifact('jti', { model: 'ReplayDetection' });
      await store.artifacts.insert(proof, start);
      const replay = { ...proof, payload: '{"replayed":true}', expiresAt: at(9 * hour) };
      expect(await other.artifacts.insert(replay, at(1))).toBe(false);
      expect(await payloadOf(store, proof)).toBe(proof.payload);
      expect(await payloadOf(store, proof, at(2 * hour))).toBeNull();
    });

    test('a key is free again from the instant it expires', async ({ store }) => {
      const proof = artifact('jti', { model: 'ReplayDetection', expiresAt: at(60) });
      const later = { ...proof, payload: '{"later":true}', expiresAt: at(120) };
      await store.artifacts.insert(proof, start);
      expect(await store.artifacts.insert(later, at(59.999))).toBe(false);
      expect(await store.artifacts.insert(later, at(60))).toBe(true);
      expect(await payloadOf(store, proof, at(60))).toBe(later.payload);
    });

    test('of fifty at once through two handles, exactly one inserts', async ({ store, other }) => {
      const inserted = await atOnce(50, [store, other], (handle, index) =>
        handle.artifacts.insert(artifact('jti', { model: 'ReplayDetection', payload: `{"n":${index}}` }), start),
      );
      expect(inserted.filter(Boolean)).toHaveLength(1);
      const kept = await payloadOf(store, artifact('jti', { model: 'ReplayDetection' }));
      expect(kept).toBe(`{"n":${inserted.indexOf(true)}}`);
    });

    test('a sign-out does not free the key: what was seen stays seen', async ({ store }) => {
      await populate(store);
      const proof = artifact('jti', { model: 'ReplayDetection', stamps: { 'account:alice': 0 } });
      await store.artifacts.insert(proof, start);
      await store.revocations.signOut(signOutOf('one', 'account:alice'));
      expect(await store.artifacts.insert({ ...proof, stamps: { 'account:alice': 1 } }, at(1))).toBe(false);
    });

    test('a destroyed key is not free before it would have expired', async ({ store }) => {
      const proof = artifact('jti', { model: 'ReplayDetection', expiresAt: at(60) });
      await store.artifacts.insert(proof, start);
      await store.artifacts.destroy(proof.key);
      expect(await store.artifacts.insert({ ...proof, expiresAt: at(120) }, at(1))).toBe(false);
      expect(await store.artifacts.find(proof.key, at(1))).toBeNull();
      expect(await store.artifacts.insert({ ...proof, expiresAt: at(120) }, at(60))).toBe(true);
      expect(await store.artifacts.find(proof.key, at(60))).toMatchObject({ consumedAt: null });
    });
  });

  describe('consume', () => {
    test('the first consumption succeeds and is seen; the second fails and changes nothing', async ({
      store,
      other,
    }) => {
      const code = artifact('code');
      await store.artifacts.save(code);
      expect(await store.artifacts.consume(code.key, at(1))).toBe(true);
      expect(await other.artifacts.consume(code.key, at(2))).toBe(false);
      expect(await other.artifacts.find(code.key, at(3))).toMatchObject({ consumedAt: at(1), payload: code.payload });
    });

    test('of fifty at once through two handles, exactly one consumes', async ({ store, other }) => {
      const code = artifact('code');
      await store.artifacts.save(code);
      const consumed = await atOnce(50, [store, other], (handle) => handle.artifacts.consume(code.key, start));
      expect(consumed.filter(Boolean)).toHaveLength(1);
    });

    test('what is not there, or was destroyed, is not consumed', async ({ store }) => {
      const code = artifact('code');
      expect(await store.artifacts.consume(code.key, start)).toBe(false);
      await store.artifacts.save(code);
      await store.artifacts.destroy(code.key);
      expect(await store.artifacts.consume(code.key, start)).toBe(false);
    });

    test('what a sign-out ended is not consumed', async ({ store, other }) => {
      await populate(store);
      const code = artifact('code', { stamps: { 'account:alice': 0 } });
      await store.artifacts.save(code);
      await other.revocations.signOut(signOutOf('one', 'account:alice'));
      expect(await store.artifacts.consume(code.key, start)).toBe(false);
    });

    test('saving again never clears a consumption', async ({ store, other }) => {
      const code = artifact('code');
      await store.artifacts.save(code);
      await store.artifacts.consume(code.key, at(1));
      await other.artifacts.save({ ...code, payload: '{"again":true}' });
      expect(await store.artifacts.find(code.key, at(2))).toMatchObject({
        consumedAt: at(1),
        payload: '{"again":true}',
      });
      expect(await store.artifacts.consume(code.key, at(2))).toBe(false);
    });

    test('a save raced against the consumption never clears it', async ({ store, other }) => {
      const code = artifact('code');
      await store.artifacts.save(code);
      const [, consumed] = await Promise.all([
        other.artifacts.save(code),
        store.artifacts.consume(code.key, at(1)),
        other.artifacts.save(code),
      ]);
      expect(consumed).toBe(true);
      expect((await other.artifacts.find(code.key, at(2)))?.consumedAt).toEqual(at(1));
    });
  });

  describe('destroy', () => {
    test('a destroyed artifact is found by no door', async ({ store, other }) => {
      const saved = session('one', { userCode: 'code' });
      await store.artifacts.save(saved);
      await other.artifacts.destroy(saved.key);
      expect(await store.artifacts.find(saved.key, start)).toBeNull();
      expect(await store.artifacts.findByUid('Session', 'uid:one', start)).toBeNull();
      expect(await store.artifacts.findByUserCode('code', start)).toBeNull();
      expect(await store.artifacts.sessionsOf('alice', start)).toEqual([]);
    });

    test('a save that comes after is lost, even one that would prolong it', async ({ store, other }) => {
      const saved = session('one', { userCode: 'code' });
      await store.artifacts.save(saved);
      await store.artifacts.destroy(saved.key);
      await other.artifacts.save({ ...saved, expiresAt: at(day), uid: 'uid:again' });
      expect(await store.artifacts.find(saved.key, start)).toBeNull();
      expect(await store.artifacts.findByUid('Session', 'uid:again', start)).toBeNull();
      expect(await store.artifacts.sessionsOf('alice', start)).toEqual([]);
    });

    test('saves raced against the destruction never revive it', async ({ store, other }) => {
      const saved = session('one');
      await store.artifacts.save(saved);
      await Promise.all([
        other.artifacts.save(saved),
        store.artifacts.destroy(saved.key),
        other.artifacts.save(saved),
        store.artifacts.save(saved),
      ]);
      expect(await store.artifacts.find(saved.key, start)).toBeNull();
    });

    test('destroying twice, or what is not there, is no error', async ({ store }) => {
      const code = artifact('code');
      await store.artifacts.destroy(code.key);
      await store.artifacts.save(code);
      await store.artifacts.destroy(code.key);
      await store.artifacts.destroy(code.key);
      expect(await store.artifacts.find(code.key, start)).toBeNull();
    });

    test('other artifacts stay', async ({ store }) => {
      await store.artifacts.save(artifact('one'));
      await store.artifacts.save(artifact('two'));
      await store.artifacts.destroy(artifact('one').key);
      expect(await payloadOf(store, artifact('two'))).not.toBeNull();
    });
  });

  describe('other doors', () => {
    test('a uid is found within its model alone', async ({ store }) => {
      await store.artifacts.save(session('one'));
      const found = await store.artifacts.findByUid('Session', 'uid:one', start);
      expect(found?.payload).toBe(session('one').payload);
      expect(hex(found?.key)).toBe(hex(session('one').key));
      expect(await store.artifacts.findByUid('Interaction', 'uid:one', start)).toBeNull();
      expect(await store.artifacts.findByUid('Session', 'uid:two', start)).toBeNull();
    });

    test('a uid may be the same in two models', async ({ store }) => {
      await store.artifacts.save(session('one'));
      await store.artifacts.save(artifact('two', { model: 'Interaction', uid: 'uid:one' }));
      expect((await store.artifacts.findByUid('Session', 'uid:one', start))?.payload).toBe(session('one').payload);
      expect((await store.artifacts.findByUid('Interaction', 'uid:one', start))?.payload).toBe(
        artifact('two', { model: 'Interaction' }).payload,
      );
    });

    // A Session takes a new bearer value at sign-in and keeps its uid.
    test('a uid is found under its new key once the old one is destroyed', async ({ store }) => {
      await store.artifacts.save(session('old', { uid: 'uid' }));
      await store.artifacts.destroy(session('old').key);
      await store.artifacts.save(session('new', { uid: 'uid' }));
      expect((await store.artifacts.findByUid('Session', 'uid', start))?.payload).toBe(session('new').payload);
      expect(await store.artifacts.sessionsOf('alice', start)).toHaveLength(1);
    });

    test('a uid and a user code are found under their new key once the old one has expired', async ({ store }) => {
      const doors = { uid: 'uid', userCode: 'code' };
      await store.artifacts.save(artifact('old', { ...doors, expiresAt: at(60) }));
      await store.artifacts.save(artifact('new', { ...doors, expiresAt: at(600) }));
      expect((await store.artifacts.findByUid('AccessToken', 'uid', at(60)))?.payload).toBe(artifact('new').payload);
      expect((await store.artifacts.findByUserCode('code', at(60)))?.payload).toBe(artifact('new').payload);
    });

    test('a user code finds its artifact, with its consumption', async ({ store }) => {
      const device = artifact('device', { model: 'DeviceCode', userCode: 'mac' });
      await store.artifacts.save(device);
      await store.artifacts.consume(device.key, at(1));
      expect(await store.artifacts.findByUserCode('mac', at(2))).toMatchObject({
        payload: device.payload,
        consumedAt: at(1),
      });
      expect(await store.artifacts.findByUserCode('other', at(2))).toBeNull();
    });

    test('an artifact without a uid, a user code or an account is behind none of these doors', async ({ store }) => {
      await store.artifacts.save(artifact('one', { model: 'Session' }));
      for (const nothing of ['', 'null', 'undefined']) {
        expect(await store.artifacts.findByUid('Session', nothing, start)).toBeNull();
        expect(await store.artifacts.findByUserCode(nothing, start)).toBeNull();
        expect(await store.artifacts.sessionsOf(nothing, start)).toEqual([]);
      }
    });
  });

  describe('sessionsOf', () => {
    test('gives the uid, payload and key of each of the account’s browser sessions, and of nobody else’s', async ({
      store,
      other,
    }) => {
      const [laptop, phone] = [session('laptop'), session('phone')];
      for (const one of [laptop, phone, session('hers', { accountId: 'bob' })]) await store.artifacts.save(one);
      await store.artifacts.save(artifact('token', { accountId: 'alice', uid: 'uid:token' }));
      await store.artifacts.save(artifact('grant', { model: 'Grant', accountId: 'alice' }));
      await store.artifacts.save(session('anonymous', { model: 'Interaction' }));
      const found = await other.artifacts.sessionsOf('alice', start);
      expect(found.map(({ uid, payload, key }) => [uid, payload, hex(key)]).sort()).toEqual(
        [laptop, phone].map(({ uid, payload, key }) => [uid, payload, hex(key)]),
      );
      expect(await store.artifacts.sessionsOf('nobody', start)).toEqual([]);
    });

    test('leaves out the expired, the destroyed and the signed out', async ({ store }) => {
      await populate(store);
      await store.artifacts.save(session('alive', { stamps: { 'account:alice': 0, 'session:alive': 0 } }));
      await store.artifacts.save(session('expired', { expiresAt: start }));
      await store.artifacts.save(session('destroyed'));
      await store.artifacts.destroy(session('destroyed').key);
      await store.artifacts.save(session('ended', { stamps: { 'session:ended': 0 } }));
      await store.revocations.signOut(signOutOf('one', 'session:ended'));
      expect((await store.artifacts.sessionsOf('alice', start)).map(({ uid }) => uid)).toEqual(['uid:alive']);
    });
  });

  describe('a client session saved with an artifact', () => {
    test('is there as soon as the artifact is', async ({ store, other }) => {
      const recorded = clientSession('grant', { connectionId: 'corp', selfContainedUntil: at(300) });
      await store.artifacts.save(artifact('code'), recorded);
      expect(await other.artifacts.find(artifact('code').key, start)).not.toBeNull();
      expect(await other.revocations.findClientSession('grant')).toEqual(recorded);
    });

    test('is kept as recorded: device, persistent, and every instant', async ({ store }) => {
      const recorded = clientSession('grant', {
        kind: 'device',
        persistent: true,
        firstUsedAt: at(0.001),
        lastUsedAt: at(1.999),
      });
      await store.artifacts.save(artifact('code'), recorded);
      expect(await store.revocations.findClientSession('grant')).toEqual(recorded);
    });

    test('saved again is still one, first used when it first was', async ({ store, other }) => {
      await store.artifacts.save(artifact('one'), clientSession('grant'));
      const again = clientSession('grant', { firstUsedAt: at(60), lastUsedAt: at(60) });
      await atOnce(4, [store, other], (handle, index) => handle.artifacts.save(artifact(`code-${index}`), again));
      expect(await store.revocations.findClientSession('grant')).toMatchObject({
        grantId: 'grant',
        firstUsedAt: start,
        endedAt: null,
        endedBy: null,
      });
      expect(await store.revocations.clientSessionsOf('alice')).toHaveLength(1);
    });

    test('saved again by a slower request does not go back in time', async ({ store }) => {
      await store.artifacts.save(
        artifact('one'),
        clientSession('grant', { lastUsedAt: at(60), selfContainedUntil: at(300) }),
      );
      await store.artifacts.save(artifact('two'), clientSession('grant'));
      expect(await store.revocations.findClientSession('grant')).toMatchObject({
        lastUsedAt: at(60),
        selfContainedUntil: at(300),
      });
    });

    test('saved again with a later self-contained token, it knows of that one', async ({ store, other }) => {
      await store.artifacts.save(artifact('one'), clientSession('grant', { selfContainedUntil: at(200) }));
      await other.artifacts.save(artifact('two'), clientSession('grant', { selfContainedUntil: at(300) }));
      expect((await store.revocations.findClientSession('grant'))?.selfContainedUntil).toEqual(at(300));
    });

    test('saved again never undoes that it was ended', async ({ store, other }) => {
      await populate(store);
      await store.artifacts.save(artifact('one'), clientSession('grant'));
      const signOut = await store.revocations.signOut(signOutOf('one', 'account:alice', { at: at(5) }));
      await store.revocations.fanOut({ signOut, deliveries: [], ended: ['grant'] });
      await other.artifacts.save(artifact('two'), clientSession('grant', { lastUsedAt: at(9) }));
      expect(await store.revocations.findClientSession('grant')).toMatchObject({ endedAt: at(5), endedBy: 'one' });
      expect(await store.revocations.clientSessionsOf('alice')).toEqual([]);
    });
  });
}
