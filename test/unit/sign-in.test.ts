import { describe, expect, test } from 'vitest';
import type { Store } from '../../src/store/port.ts';
import { authnWorld, gate, PASSWORD, settled } from '../support/authn-world.ts';

const wrong = { refused: 'wrong-credentials' };
const throttled = { refused: 'throttled', retryAfterSeconds: expect.any(Number) };
const locked = { refused: 'locked' };

/** The same store, with what was asked of it written down. */
function watched(store: Store) {
  const asked: string[] = [];
  const accounts = new Proxy(store.accounts, {
    get: (target, name: keyof Store['accounts']) => (asked.push(name), target[name]),
  });
  return { asked, handle: { accounts } };
}

test.for(['alice', ' ALICE ', 'alice@mail.test', 'Alice@Mail.Test'])('%j and the right password', async (name) => {
  const { guess, alice, clock } = await authnWorld();
  expect(await guess(name, PASSWORD)).toEqual({ accountId: alice.id, amr: ['pwd'], signedInAt: clock.now() });
  expect(await guess(name, `${PASSWORD}!`)).toEqual(wrong);
});

test('an id is no name to sign in by', async () => {
  const { guess, alice } = await authnWorld();
  expect(await guess(alice.id, PASSWORD)).toEqual(wrong);
});

// CVE-2023-39522.
describe('row 59: unknown, known, disabled and passwordless look the same', () => {
  const names = [
    ['an unknown username', 'nobody'],
    ['an unknown e-mail', 'nobody@mail.test'],
    ['no name at all', ''],
    ['a name of a megabyte', 'x'.repeat(1_000_000)],
    ['a disabled account and its right password', 'dora'],
    ['a deleted account and its right password', 'dan'],
    ['an account without a password', 'pia'],
  ] as const;

  async function town() {
    const world = await authnWorld();
    const dora = await world.addAccount('dora');
    const dan = await world.addAccount('dan');
    await world.addAccount('pia', null);
    await world.store.accounts.setStatus({ accountId: dora.id, status: 'disabled' });
    await world.store.accounts.setStatus({ accountId: dan.id, status: 'deleted' });
    return world;
  }

  test.for(names)('%s: the words, the hashing and the round trips of a wrong password', async ([, name]) => {
    const { store, signInFrom, hasher } = await town();
    const { asked, handle } = watched(store);
    const signIn = signInFrom(handle);
    const cost = async (identifier: string, password: string) => {
      asked.length = 0;
      hasher.work.length = 0;
      const noteEpoch = async (accountId: string) => {
        asked.push('find');
        await store.revocations.epochs([`account:${accountId}`]);
      };
      const answer = await signIn.verifyPassword({ identifier, password, address: '192.0.2.7', noteEpoch });
      return { answer, asked: asked.join(' '), work: hasher.work.join(' ') };
    };
    const known = await cost('alice', 'wrong');
    expect(known.answer).toEqual(wrong);
    expect(known.work).toBe('verify');
    expect(await cost(name, PASSWORD)).toEqual(known);
    // What the failure has led to is the same as well.
    expect(await cost(name, PASSWORD)).toEqual(await cost('alice', 'wrong'));
  });

  test('a hundred guesses later they are still told apart by nothing', async () => {
    const { guess, clock } = await town();
    const answers: Record<string, unknown[]> = {};
    for (const name of ['alice', 'nobody', 'dora', 'dan', 'pia']) answers[name] = [];
    for (let time = 0; time < 102; time += 1) {
      for (const [name, heard] of Object.entries(answers)) {
        heard.push(await guess(name, 'wrong'), await guess(name, 'wrong'));
      }
      clock.pass(10);
    }
    expect(answers['alice']?.slice(0, 2)).toEqual([wrong, throttled]);
    expect(answers['alice']?.at(-1)).toEqual(locked);
    for (const heard of Object.values(answers)) expect(heard).toEqual(answers['alice']);
  });

  test('an overload says nothing about anybody either', async () => {
    const { guess, hasher } = await town();
    hasher.overloaded = true;
    const overloaded = { refused: 'overloaded', retryAfterSeconds: 7 };
    for (const name of ['alice', 'nobody', 'dora', 'pia']) expect(await guess(name, 'x')).toEqual(overloaded);
    hasher.overloaded = false;
    // Nothing was learnt about the guess, so nothing was counted.
    expect(await guess('alice', PASSWORD)).toHaveProperty('accountId');
    for (const name of ['nobody', 'dora', 'pia']) expect(await guess(name, 'x')).toEqual(wrong);
  });
});

// CVE-2024-4629.
describe('row 60: one counter for one account', () => {
  test('guesses at once by username, by e-mail and from another form: one is looked at', async () => {
    const { guess, guessAgain, hasher, alice } = await authnWorld();
    const held = gate();
    hasher.hold = () => held.closed;
    const guesses = Array.from({ length: 7 }, (_, number) => [
      guess('alice', `wrong ${number}`),
      guess('alice@mail.test', `wrong ${number}`),
      guessAgain(alice.id, `wrong ${number}`),
    ]).flat();
    await settled();
    held.open();
    const answers = await Promise.all(guesses);
    expect(hasher.work).toEqual(['verify']);
    expect(answers.filter((answer) => 'refused' in answer && answer.refused === 'wrong-credentials')).toHaveLength(1);
    expect(answers.filter((answer) => 'refused' in answer && answer.refused === 'throttled')).toHaveLength(20);
  });

  test('a right password behind a wrong one is not looked at, and right a second later', async () => {
    const { guess, hasher, clock } = await authnWorld();
    const [reached, held] = [gate(), gate()];
    hasher.hold = () => {
      reached.open();
      return held.closed;
    };
    const first = guess('alice', 'wrong');
    await reached.closed;
    const behind = guess('alice@mail.test', PASSWORD);
    await settled();
    held.open();
    expect(await Promise.all([first, behind])).toEqual([wrong, { refused: 'throttled', retryAfterSeconds: 1 }]);
    clock.pass(1);
    expect(await guess('alice', PASSWORD)).toHaveProperty('accountId');
  });

  test('failures by name, e-mail and other forms add up', async () => {
    const { guess, guessAgain, alice, clock } = await authnWorld();
    expect(await guess('alice', 'wrong')).toEqual(wrong);
    clock.pass(1);
    expect(await guessAgain(alice.id, 'wrong')).toEqual(wrong);
    clock.pass(1);
    expect(await guess('alice@mail.test', 'wrong')).toEqual(wrong);
    expect(await guess('alice', PASSWORD)).toEqual({ refused: 'throttled', retryAfterSeconds: 3 });
  });

  test('twenty right passwords at once are twenty sign-ins', async () => {
    const { guess } = await authnWorld();
    const answers = await Promise.all(Array.from({ length: 20 }, () => guess('alice', PASSWORD)));
    expect(answers.filter((answer) => 'accountId' in answer)).toHaveLength(20);
  });
});

describe('row 62: a name that folds to another is not that other', () => {
  const strangers = [
    'mıke',
    'mıke@mail.test',
    'míke@mail.test',
    'ｍｉｋｅ@mail.test',
    'mike@mail.test\r\n',
    'mike\u200b',
  ];
  test.for(strangers)('%j', async (name) => {
    const { guess, addAccount } = await authnWorld();
    await addAccount('mike');
    expect(await guess(name, PASSWORD)).toEqual(wrong);
    // And what is guessed at the stranger is not counted against mike.
    expect(await guess('mike', PASSWORD)).toHaveProperty('accountId');
  });
});

describe('row 61: addresses', () => {
  test.for([undefined, 'garbage', '2001:db8::1'])('%s has its share of the minute, right or wrong', async (address) => {
    const { signIn, addAccount, noteEpoch, hasher } = await authnWorld({ addressAttemptsPerMinute: 3 });
    await addAccount('bob');
    const attempt = (identifier: string, password: string) =>
      signIn.verifyPassword({ identifier, password, address, noteEpoch });
    expect(await attempt('alice', PASSWORD)).toHaveProperty('accountId');
    expect(await attempt('nobody', 'wrong')).toEqual(wrong);
    expect(await attempt('bob', 'wrong')).toEqual(wrong);
    expect(await attempt('alice', PASSWORD)).toEqual(throttled);
    expect(await attempt('nobody', 'wrong')).toEqual(throttled);
    expect(hasher.work).toHaveLength(3);
  });

  test('checking again counts like signing in', async () => {
    const { guess, guessAgain, alice } = await authnWorld({ addressAttemptsPerMinute: 2 });
    await guessAgain(alice.id, PASSWORD);
    await guess('alice', PASSWORD);
    expect(await guessAgain(alice.id, PASSWORD)).toEqual(throttled);
  });
});

describe('being locked out', () => {
  async function lockedOut() {
    const world = await authnWorld();
    for (let time = 0; time < 100; time += 1) {
      expect(await world.guess('alice', 'wrong')).toEqual(wrong);
      world.clock.pass(10);
    }
    expect(await world.guess('alice', PASSWORD)).toEqual(locked);
    return world;
  }

  test('does not reach a device the account knows', async () => {
    const { guess, signIn, noteEpoch, alice } = await lockedOut();
    expect(await guess('alice', PASSWORD, 'tablet')).toHaveProperty('accountId');
    const asked: string[] = [];
    const known = await signIn.verifyPassword({
      identifier: 'alice@mail.test',
      password: PASSWORD,
      address: '192.0.2.7',
      noteEpoch,
      knownDevice: (accountId) => (asked.push(accountId), 'tablet'),
    });
    expect(known).toHaveProperty('accountId');
    expect(asked).toEqual([alice.id]);
    expect(await guess('alice', PASSWORD)).toEqual(locked);
  });

  test('ends when an operator sets a new password, on every node', async () => {
    const { store, open, guess, clock, alice, signInFrom, noteEpoch } = await lockedOut();
    const change = { accountId: alice.id, hash: 'strong:seven green herons', changedAt: clock.now() };
    expect(await (await open()).accounts.setPassword(change)).toBe('set');
    expect(await guess('alice', 'seven green herons')).toHaveProperty('accountId');
    const node = signInFrom(store);
    const attempt = { identifier: 'alice', address: '192.0.2.7', noteEpoch };
    expect(await node.verifyPassword({ ...attempt, password: PASSWORD })).toEqual(wrong);
    expect(await node.verifyPassword({ ...attempt, password: 'seven green herons' })).toEqual(throttled);
  });
});

describe('a sign-in that races a sign-out', () => {
  test('the epoch is noted before the credential is read, and both before it is checked', async () => {
    const { store, signInFrom, hasher, alice } = await authnWorld();
    const { asked, handle } = watched(store);
    hasher.hold = async () => void asked.push('(checked)');
    await signInFrom(handle).verifyPassword({
      identifier: 'alice',
      password: PASSWORD,
      address: '192.0.2.7',
      noteEpoch: async (accountId) => {
        expect(accountId).toBe(alice.id);
        await settled();
        asked.push('(epoch noted)');
      },
    });
    const order = ['countAttempt', 'findByIdentifier', 'throttle', '(epoch noted)', 'find', '(checked)'];
    expect(asked).toEqual(order);
  });

  test('a password changed while the epoch is being noted no longer opens anything', async () => {
    const { store, signIn, alice, clock } = await authnWorld();
    const reached = gate();
    const held = gate();
    const attempt = signIn.verifyPassword({
      identifier: 'alice',
      password: PASSWORD,
      address: '192.0.2.7',
      noteEpoch: async () => {
        reached.open();
        await held.closed;
      },
    });
    await reached.closed;
    await store.accounts.setPassword({
      accountId: alice.id,
      hash: 'strong:seven green herons',
      changedAt: clock.now(),
    });
    held.open();
    expect(await attempt).toEqual(wrong);
  });

  test('so does an account that is disabled meanwhile', async () => {
    const { store, signIn, alice } = await authnWorld();
    const disable = async (accountId: string) =>
      void (await store.accounts.setStatus({ accountId, status: 'disabled' }));
    const attempt = { identifier: 'alice', password: PASSWORD, address: '192.0.2.7', noteEpoch: disable };
    expect(await signIn.verifyPassword(attempt)).toEqual(wrong);
    expect((await store.accounts.find(alice.id))?.status).toBe('disabled');
  });

  test('the sign-in is dated from before the check', async () => {
    const { guess, clock, hasher } = await authnWorld();
    const before = clock.now();
    hasher.hold = async () => clock.pass(5);
    expect(await guess('alice', PASSWORD)).toMatchObject({ signedInAt: before });
  });

  test('an epoch that cannot be noted ends the attempt before the password is looked at', async () => {
    const { signIn, hasher, guess } = await authnWorld();
    const noteEpoch = () => Promise.reject(new Error('store down'));
    const attempt = { identifier: 'alice', password: PASSWORD, address: '192.0.2.7', noteEpoch };
    await expect(signIn.verifyPassword(attempt)).rejects.toThrow('store down');
    expect(hasher.work).toEqual([]);
    expect(await guess('alice', PASSWORD)).toHaveProperty('accountId');
  });
});

describe('renewing an older hash', () => {
  test('on success, in place, without being a change of password', async () => {
    const { store, guess, hasher, alice, clock } = await authnWorld();
    const before = (await store.accounts.find(alice.id))?.password;
    hasher.strength = 'stronger';
    clock.pass(60);
    expect(await guess('alice', 'wrong')).toEqual(wrong);
    expect((await store.accounts.find(alice.id))?.password).toEqual(before);
    clock.pass(1);
    expect(await guess('alice', PASSWORD)).toHaveProperty('accountId');
    expect((await store.accounts.find(alice.id))?.password).toEqual({ ...before, hash: `stronger:${PASSWORD}` });
    hasher.work.length = 0;
    expect(await guess('alice', PASSWORD)).toHaveProperty('accountId');
    expect(hasher.work).toEqual(['verify']);
  });

  test('never over a password set meanwhile', async () => {
    const { store, guess, hasher, alice, clock } = await authnWorld();
    hasher.strength = 'stronger';
    const next = { hash: 'stronger:seven green herons', changedAt: clock.now() };
    hasher.hold = async () => void (await store.accounts.setPassword({ accountId: alice.id, ...next }));
    // The epoch noted before decides what this sign-in is worth.
    expect(await guess('alice', PASSWORD)).toHaveProperty('accountId');
    expect((await store.accounts.find(alice.id))?.password).toEqual(next);
  });

  test('when it fails the sign-in stands, and the log says so without the password', async () => {
    const { store, signInFrom, hasher, alice, noteEpoch, events } = await authnWorld();
    hasher.strength = 'stronger';
    const setPassword = () => Promise.reject(new Error('disk full'));
    const signIn = signInFrom({ accounts: { ...store.accounts, setPassword } });
    const attempt = { identifier: 'alice', password: PASSWORD, address: '192.0.2.7', noteEpoch };
    expect(await signIn.verifyPassword(attempt)).toHaveProperty('accountId');
    expect(events).toEqual([
      { event: 'password.rehash-failed', fields: { err: expect.any(Error), accountId: alice.id } },
    ]);
    expect(JSON.stringify(events)).not.toContain(PASSWORD);
  });
});

describe('checking again', () => {
  test('gives the hash a password change may expect, renewed or not', async () => {
    const { store, guessAgain, hasher, alice, clock } = await authnWorld();
    const stands = { accountId: alice.id, amr: ['pwd'], signedInAt: clock.now() };
    expect(await guessAgain(alice.id, PASSWORD)).toEqual({ ...stands, verifiedHash: `strong:${PASSWORD}` });
    hasher.strength = 'stronger';
    const again = await guessAgain(alice.id, PASSWORD);
    expect(again).toEqual({ ...stands, verifiedHash: `stronger:${PASSWORD}` });
    const expected = 'verifiedHash' in again ? again.verifiedHash : '';
    const change = { accountId: alice.id, hash: 'next', changedAt: clock.now(), expected };
    expect(await store.accounts.setPassword(change)).toBe('set');
    expect(await store.accounts.setPassword(change)).toBe('stale');
  });

  test('an account that is not there is a wrong password', async () => {
    const { guessAgain, hasher } = await authnWorld();
    expect(await guessAgain('nobody', PASSWORD)).toEqual(wrong);
    expect(hasher.work).toEqual(['verify']);
  });
});

test('a caller who has gone while waiting is not looked at, and counts nothing', async () => {
  const { signIn, guess, hasher, noteEpoch } = await authnWorld();
  const [reached, held] = [gate(), gate()];
  hasher.hold = () => {
    reached.open();
    return held.closed;
  };
  const first = guess('alice', PASSWORD);
  await reached.closed;
  const gone = new AbortController();
  const attempt = { identifier: 'alice', password: 'wrong', address: '192.0.2.7', noteEpoch };
  const waiting = signIn.verifyPassword({ ...attempt, signal: gone.signal });
  await settled();
  gone.abort(new Error('gone'));
  held.open();
  await expect(waiting).rejects.toThrow('gone');
  expect(await first).toHaveProperty('accountId');
  expect(hasher.work).toEqual(['verify']);
  expect(await guess('alice', PASSWORD)).toHaveProperty('accountId');
});

describe('a new password', () => {
  test('is hashed when it may be used', async () => {
    const { signIn } = await authnWorld();
    const choice = { password: 'seven green herons', username: 'alice', email: 'alice@mail.test' };
    expect(await signIn.hashNewPassword(choice)).toEqual({ hash: 'strong:seven green herons' });
  });

  test('is refused with every problem, unhashed', async () => {
    const { signIn, hasher } = await authnWorld();
    const choice = { password: 'alice', username: 'alice', email: 'alice@mail.test' };
    expect(await signIn.hashNewPassword(choice)).toEqual({
      refused: 'bad-password',
      problems: expect.arrayContaining([expect.stringContaining('at least 15'), expect.stringContaining('username')]),
    });
    expect(await signIn.hashNewPassword({ ...choice, password: 'nine herons', secondFactor: true })).toHaveProperty(
      'hash',
    );
    expect(hasher.work).toEqual(['hash']);
  });
});
