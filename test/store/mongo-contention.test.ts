/** Fifty at once, through five handles as five processes would hold them: each is counted, once, and none is turned away. */
import { describe, expect, test } from 'vitest';

import type { Store } from '../../src/store/port.ts';
import type { ScopeKey } from '../../src/store/records.ts';
import {
  account,
  artifact,
  at,
  client,
  clientSession,
  credential,
  day,
  identifiers,
  mail,
  signOutOf,
  start,
} from '../support/records.ts';
import { type Fresh, freshDatabase } from '../support/mongodb/fresh.ts';
import { atOnce, upTo } from './conformance/together.ts';

const TIMES = 50;

const handles = ({ open }: Fresh): Promise<Store[]> => Promise.all(Array.from({ length: 5 }, () => open()));

const ascending = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b);

describe('fifty at once on one scope', () => {
  for (const key of ['everyone', 'account:alice', 'client:player', 'session:laptop'] as const) {
    test(`${key}: each sign-out raises once, and each is pending`, async () => {
      const fresh = await freshDatabase();
      const stores = await handles(fresh);
      await stores[0]?.accounts.insert(account('alice'), identifiers('alice'));
      await stores[0]?.catalogue.saveClient(client('player'));
      const raised = await atOnce(TIMES, stores, ({ revocations }, nth) =>
        revocations.signOut(signOutOf(`of-${nth}`, key, { at: at(nth) })),
      );
      expect(ascending(raised.map(({ epochBefore }) => epochBefore))).toEqual(upTo(TIMES).map((nth) => nth - 1));
      for (const { revocations, accounts, catalogue } of stores) {
        expect(await revocations.epochs([key])).toEqual({ [key]: TIMES });
        expect(new Set((await revocations.pendingSignOuts(TIMES * 2)).map(({ id }) => id)).size).toBe(TIMES);
        expect(await revocations.signedOutAt(key)).toEqual(at(TIMES - 1));
        // What else lives in the document came to no harm.
        expect(await accounts.find('alice')).toEqual(account('alice'));
        expect(await catalogue.findClient('player')).toMatchObject({ ...client('player'), version: 1 });
      }
    });
  }

  test('a grant that is revoked, signed out, and revoked again, is raised by each of them', async () => {
    const fresh = await freshDatabase();
    const stores = await handles(fresh);
    const key: ScopeKey = 'grant:one';
    await atOnce<unknown>(TIMES, stores, ({ revocations }, nth) =>
      nth % 2 === 0 ? revocations.revokeGrant('one', at(nth)) : revocations.signOut(signOutOf(`of-${nth}`, key)),
    );
    expect(await stores[0]?.revocations.epochs([key])).toEqual({ [key]: TIMES });
    expect(await stores[0]?.revocations.pendingSignOuts(TIMES)).toHaveLength(TIMES / 2);
  });

  test('an account’s password, its status and its sign-outs: none is lost to another', async () => {
    const fresh = await freshDatabase();
    const stores = await handles(fresh);
    await stores[0]?.accounts.insert(account('alice'), identifiers('alice'));
    const { hash = '' } = account('alice').password ?? {};
    const answers = await atOnce<unknown>(TIMES, stores, ({ accounts, revocations }, nth) => {
      const signOut = signOutOf(`of-${nth}`, 'account:alice', { at: at(nth) });
      if (nth % 3 === 0)
        return accounts.setPassword({
          accountId: 'alice',
          hash: `new-${nth}`,
          changedAt: at(nth),
          expected: hash,
          signOut,
        });
      if (nth % 3 === 1) return accounts.setStatus({ accountId: 'alice', status: 'disabled', signOut });
      return revocations.signOut(signOut);
    });
    const changed = answers.filter((answer) => answer === 'set').length;
    const stale = answers.filter((answer) => answer === 'stale').length;
    const passwords = Math.ceil(TIMES / 3);
    expect(stale).toBe(passwords - 1);
    expect(changed).toBe(TIMES - passwords + 1 - answers.filter((answer) => typeof answer === 'object').length);
    expect(await stores[1]?.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': TIMES - stale });
    const kept = await stores[2]?.accounts.find('alice');
    expect(kept?.status).toBe('disabled');
    expect(kept?.password?.hash).toMatch(/^new-/);
  });

  test('an account’s credentials, its language and its sign-outs: none is lost to another', async () => {
    const fresh = await freshDatabase();
    const stores = await handles(fresh);
    await stores[0]?.accounts.insert(account('alice'), identifiers('alice'));
    await stores[0]?.accounts.addCredential(credential('totp', 'alice', { kind: 'totp' }), { most: 1 });
    const answers = await atOnce<unknown>(TIMES, stores, ({ accounts, revocations }, nth) => {
      if (nth % 5 === 0) return revocations.signOut(signOutOf(`of-${nth}`, 'account:alice'));
      if (nth % 5 === 1) return accounts.addCredential(credential(`key-${nth}`, 'alice'), { most: TIMES });
      if (nth % 5 === 2) return accounts.setLocale({ accountId: 'alice', locale: `x-${nth}` });
      const used = { kind: 'trusted-browser', createdAt: at(nth) } as const;
      if (nth % 5 === 3) return accounts.addCredential(credential(`browser-${nth}`, 'alice', used), { most: 3 });
      return accounts.changeCredential({
        id: 'totp',
        accountId: 'alice',
        revision: 0,
        sealed: `sealed:${nth}`,
        usedAt: at(nth),
      });
    });
    expect(answers.filter((answer) => answer === 'added')).toHaveLength((2 * TIMES) / 5);
    expect(answers.filter((answer) => answer === true)).toHaveLength(1);
    expect(await stores[1]?.revocations.epochs(['account:alice'])).toEqual({ 'account:alice': TIMES / 5 });
    expect(await stores[1]?.revocations.pendingSignOuts(TIMES)).toHaveLength(TIMES / 5);
    const kept = (await stores[2]?.accounts.credentialsOf('alice')) ?? [];
    const counted = Map.groupBy(kept, ({ kind }) => kind);
    expect(counted.get('passkey')).toHaveLength(TIMES / 5);
    expect(counted.get('trusted-browser')).toHaveLength(3);
    expect(counted.get('totp')).toMatchObject([{ revision: 1, sealed: expect.stringMatching(/^sealed:\d+$/) }]);
    expect((await stores[3]?.accounts.find('alice'))?.locale).toMatch(/^x-\d+$/);
  });

  test('sign-outs that come while others are leased and completed: each is completed once, and the last raise stands', async () => {
    const fresh = await freshDatabase();
    const stores = await handles(fresh);
    await atOnce(TIMES, stores, async ({ revocations }, nth) => {
      const signOut = await revocations.signOut(signOutOf(`of-${nth}`, 'everyone', { at: at(nth) }));
      await revocations.leaseSignOut?.({ signOut, holder: `holder-${nth}`, now: start, leaseUntil: at(15) });
      await revocations.completeSignOut(signOut);
    });
    expect(await stores[0]?.revocations.epochs(['everyone'])).toEqual({ everyone: TIMES });
    expect(await stores[0]?.revocations.pendingSignOuts(5)).toEqual([]);
    const listed = await stores[1]?.revocations.listSignOuts(TIMES * 2);
    expect(listed?.map(({ id }) => id)).toEqual(upTo(TIMES).map((nth) => `of-${TIMES - nth}`));
    expect(listed?.every(({ status }) => status === 'complete')).toBe(true);
  });
});

describe('fifty at once on one row', () => {
  test('an artifact is consumed by one, and inserted by one', async () => {
    const fresh = await freshDatabase();
    const stores = await handles(fresh);
    await stores[0]?.artifacts.save(artifact('code'));
    const consumed = await atOnce(TIMES, stores, ({ artifacts }) => artifacts.consume(artifact('code').key, start));
    expect(consumed.filter((won) => won)).toHaveLength(1);
    const inserted = await atOnce(TIMES, stores, ({ artifacts }) => artifacts.insert(artifact('assertion'), start));
    expect(inserted.filter((won) => won)).toHaveLength(1);
  });

  test('a destroyed artifact is brought back by none', async () => {
    const fresh = await freshDatabase();
    const stores = await handles(fresh);
    const { key } = artifact('session');
    await stores[0]?.artifacts.save(artifact('session'));
    await atOnce(TIMES, stores, ({ artifacts }, nth) =>
      nth === TIMES / 2 ? artifacts.destroy(key) : artifacts.save(artifact('session', { expiresAt: at(nth + 60) })),
    );
    for (const { artifacts } of stores) expect(await artifacts.find(key, start)).toBeNull();
  });

  test('failures and attempts are counted one by one', async () => {
    const fresh = await freshDatabase();
    const stores = await handles(fresh);
    const failed = await atOnce(TIMES, stores, ({ accounts }) =>
      accounts.addFailure({ key: 'alice', now: start, delaySeconds: (failures) => failures }),
    );
    expect(ascending(failed.map(({ failures }) => failures))).toEqual(upTo(TIMES));
    const counted = await atOnce(TIMES, stores, ({ accounts }) =>
      accounts.countAttempt({ key: 'address', windowStart: start, expiresAt: at(60) }),
    );
    expect(ascending(counted)).toEqual(upTo(TIMES));
    const again = await atOnce(TIMES, stores, ({ accounts }) =>
      accounts.countAttempt({ key: 'address', windowStart: at(60), expiresAt: at(120) }),
    );
    expect(ascending(again)).toEqual(upTo(TIMES));
  });

  test('a client session is made once, keeps its first use and has the latest one', async () => {
    const fresh = await freshDatabase();
    const stores = await handles(fresh);
    await atOnce(TIMES, stores, ({ artifacts }, nth) =>
      artifacts.save(artifact(`token-${nth}`), clientSession('grant', { lastUsedAt: at(nth) })),
    );
    const found = await stores[0]?.revocations.findClientSession('grant');
    expect(found).toEqual(clientSession('grant', { lastUsedAt: at(TIMES - 1) }));
    expect(await fresh.collection('client_sessions').countDocuments()).toBe(1);
  });

  test('a name is taken by one account, whichever of its two names it is', async () => {
    const fresh = await freshDatabase();
    const stores = await handles(fresh);
    const answers = await atOnce(TIMES, stores, ({ accounts }, nth) =>
      accounts.insert(account(`person-${nth}`), {
        username: nth % 2 === 0 ? 'shared' : `own-${nth}`,
        email: nth % 2 === 0 ? `own-${nth}` : 'shared',
      }),
    );
    expect(answers.filter((answer) => answer === 'inserted')).toHaveLength(1);
    expect(await stores[0]?.accounts.count()).toBe(1);
  });

  test('a name that everybody wants is let go of by one and taken by one, and nobody loses their own', async () => {
    const fresh = await freshDatabase();
    const stores = await handles(fresh);
    for (const nth of upTo(TIMES)) {
      await stores[0]?.accounts.insert(account(`person-${nth}`), identifiers(`person-${nth}`));
    }
    const answers = await atOnce(TIMES, stores, ({ accounts }, index) => {
      const nth = index + 1;
      return accounts.identify({
        accountId: `person-${nth}`,
        expected: account(`person-${nth}`),
        sealedUsername: 'sealed:new',
        sealedEmail: 'sealed:new',
        emailVerifiedAt: null,
        // The first gives up what all the others ask for.
        identifiers:
          nth === 1 ? identifiers('free') : { username: identifiers('person-1').username, email: `own-${nth}` },
      });
    });
    expect(answers[0]).toBe('set');
    // Whoever asked before the first had let go of it may all have been refused.
    const set = answers.slice(1).filter((answer) => answer === 'set').length;
    expect(set).toBeLessThanOrEqual(1);
    expect(answers.filter((answer) => answer === 'username-taken')).toHaveLength(TIMES - 1 - set);
    const wanted = await stores[0]?.accounts.findByIdentifier(identifiers('person-1').username);
    expect(wanted === null ? 0 : 1).toBe(set);
    for (const nth of upTo(TIMES).slice(1)) {
      const own = answers[nth - 1] === 'set' ? `own-${nth}` : identifiers(`person-${nth}`).email;
      expect((await stores[1]?.accounts.findByIdentifier(own))?.id).toBe(`person-${nth}`);
    }
  });

  test('each mail is queued once and held by one', async () => {
    const fresh = await freshDatabase();
    const stores = await handles(fresh);
    const mails = upTo(TIMES).map((nth) => mail(`mail-${nth}`, { nextAttemptAt: at(-nth) }));
    const queued = await atOnce(TIMES, stores, ({ outbox }, nth) => outbox.enqueue(mails.slice(nth % 7)));
    expect(queued.reduce((sum, each) => sum + each)).toBe(TIMES);
    const claims = await atOnce(TIMES, stores, ({ outbox }) =>
      outbox.claim({ now: start, leaseUntil: at(60), limit: 3 }),
    );
    const held = claims.flat();
    expect(held.map(({ id }) => id).sort()).toEqual(mails.map(({ id }) => id).sort());
    for (const leases of claims) {
      expect(leases.length).toBeLessThanOrEqual(3);
      const due = leases.map(({ nextAttemptAt }) => nextAttemptAt?.getTime() ?? 0);
      expect(due).toEqual(ascending(due));
    }
    const settled = await atOnce(TIMES, stores, ({ outbox }, nth) => {
      const { id = '', fence = 0 } = held[nth % 2] ?? {};
      const told = { attempts: 1, nextAttemptAt: null, lastAttemptAt: start, lastOutcome: 'accepted' };
      return outbox.settle({ id, fence, status: 'sent', ...told });
    });
    expect(settled.filter((each) => each)).toHaveLength(2);
    expect(await stores[0]?.outbox.counts()).toMatchObject({ pending: TIMES - 2, sent: 2 });
  });

  test('a pending sign-out has one holder', async () => {
    const fresh = await freshDatabase();
    const stores = await handles(fresh);
    const signOut = await stores[0]?.revocations.signOut(signOutOf('one', 'everyone', { at: at(-day) }));
    if (signOut === undefined) throw new Error('nothing was raised');
    const held = await atOnce(
      TIMES,
      stores,
      ({ revocations }, nth) =>
        revocations.leaseSignOut?.({ signOut, holder: `holder-${nth}`, now: start, leaseUntil: at(15) }) ??
        Promise.resolve(false),
    );
    expect(held.filter((each) => each)).toHaveLength(1);
  });
});
