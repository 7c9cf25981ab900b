import { describe, expect, test } from 'vitest';
import { createAttemptLine } from '../../src/authn/attempt-line.ts';
import { networkOf } from '../../src/authn/address-network.ts';
import { createThrottle, delaySeconds, type Guessed, type Looked } from '../../src/authn/throttle.ts';
import { emptyStore, gate, keptLog, keyring, memoryCounters, settled, standingClock } from '../support/authn-world.ts';
import { start } from '../support/records.ts';

const alice: Guessed = { authenticator: 'password', accountId: 'alice', since: start };
const throttled = (retryAfterSeconds: number) => ({ refused: 'throttled', retryAfterSeconds });
const locked = { refused: 'locked' };

async function house(options: { addressAttemptsPerMinute?: number; waitingPerBudget?: number } = {}) {
  const counters = memoryCounters();
  const clock = standingClock();
  const { log, events } = keptLog();
  const throttleOver = (store: typeof counters) =>
    createThrottle({ store, keyring, clock, log, addressAttemptsPerMinute: 30, ...options });
  const throttle = throttleOver(counters);
  let looks = 0;
  const answerWith = (verdict: Looked<string>['verdict']) => async () => {
    looks += 1;
    return { verdict, answer: verdict };
  };
  const wrong = (guessed: Guessed = alice) => throttle.attempt(guessed, answerWith('wrong'));
  const right = (guessed: Guessed = alice) => throttle.attempt(guessed, answerWith('right'));
  /** Fails so often that the next attempt finds this many failures, and waits out the last delay. */
  const failed = async (times: number, guessed: Guessed = alice) => {
    for (let time = 0; time < times; time += 1) {
      expect(await wrong(guessed)).toBe('wrong');
      clock.pass(10);
    }
  };
  return { clock, events, throttle, throttleOver, wrong, right, failed, answerWith, looks: () => looks };
}

describe('delays', () => {
  const steps: [failures: number, seconds: number][] = [
    [1, 1],
    [2, 1],
    [3, 3],
    [8, 3],
    [9, 5],
    [24, 5],
    [25, 10],
    [99, 10],
  ];
  test.for(steps)('after %s failures the next attempt waits %s s', async ([failures, seconds]) => {
    const { failed, wrong, clock, looks } = await house();
    expect(delaySeconds(failures)).toBe(seconds);
    await failed(failures - 1);
    await wrong();
    const before = looks();
    expect(await wrong()).toEqual(throttled(seconds));
    clock.pass(seconds - 0.001);
    expect(await wrong()).toEqual(throttled(1));
    expect(looks()).toBe(before);
    clock.pass(0.001);
    expect(await wrong()).toBe('wrong');
    expect(looks()).toBe(before + 1);
  });

  test('the hundredth failure disables the authenticator: a right answer is no longer looked at, however late', async () => {
    const { failed, right, clock, looks, events } = await house();
    await failed(100);
    clock.pass(365 * 86_400);
    expect(await right()).toEqual(locked);
    expect(looks()).toBe(100);
    expect(events).toEqual([
      { event: 'authenticator.locked', fields: { accountId: 'alice', authenticator: 'password' } },
    ]);
  });

  test('the ninety-ninth does not, and a right answer forgets them all', async () => {
    const { failed, right, wrong } = await house();
    await failed(99);
    expect(await right()).toBe('right');
    expect(await wrong()).toBe('wrong');
    expect(await wrong()).toEqual(throttled(1));
  });

  test('what was not looked at counts neither way', async () => {
    const { throttle, answerWith, wrong, clock } = await house();
    for (let time = 0; time < 5; time += 1) {
      expect(await throttle.attempt(alice, answerWith('not-looked-at'))).toBe('not-looked-at');
    }
    await wrong();
    clock.pass(1);
    await throttle.attempt(alice, answerWith('not-looked-at'));
    await wrong();
    clock.pass(1);
    await wrong();
    expect(await wrong()).toEqual(throttled(3));
  });

  test('a clock set back by an hour does not make anybody wait an hour, nor forget a failure', async () => {
    const { failed, wrong, clock } = await house();
    await failed(2);
    await wrong();
    clock.pass(-3600);
    expect(await wrong()).toBe('wrong');
    expect(await wrong()).toEqual(throttled(3));
  });
});

describe('budgets', () => {
  const known = { ...alice, knownDevice: 'tablet' };

  test('a stranger who locks the account out does not lock out a known device', async () => {
    const { failed, right, wrong } = await house();
    await failed(100);
    expect(await right(known)).toBe('right');
    expect(await right(alice)).toEqual(locked);
    expect(await wrong(known)).toBe('wrong');
  });

  test('a known device has its own limit, too', async () => {
    const { failed, right } = await house();
    await failed(100, known);
    expect(await right(known)).toEqual(locked);
    expect(await right({ ...alice, knownDevice: 'phone' })).toBe('right');
    expect(await right(alice)).toBe('right');
  });

  const others: [string, Guessed][] = [
    ['another account', { ...alice, accountId: 'bob' }],
    ['another authenticator', { ...alice, authenticator: 'totp' }],
    ['the next password', { ...alice, since: new Date(start.getTime() + 1) }],
    ['an identifier nobody has', { authenticator: 'password', unknownIdentifier: 'alice' }],
  ];
  test.for(others)('%s has a budget of its own', async ([, other]) => {
    const { failed, right } = await house();
    await failed(100);
    expect(await right()).toEqual(locked);
    expect(await right(other)).toBe('right');
  });

  test('an identifier nobody has is counted as one that somebody has', async () => {
    const { wrong, clock } = await house();
    const nobody: Guessed = { authenticator: 'password', unknownIdentifier: 'nobody' };
    for (let time = 0; time < 105; time += 1) {
      expect(await wrong(nobody)).toEqual(await wrong(alice));
      expect(await wrong(nobody)).toEqual(await wrong(alice));
      clock.pass(10);
    }
    expect(await wrong(nobody)).toEqual(locked);
  });

  test('keys in the store are blind', async () => {
    const counters = memoryCounters();
    const keys: string[] = [];
    const throttle = createThrottle({
      store: {
        ...counters,
        throttle: (key) => (keys.push(key), counters.throttle(key)),
        countAttempt: (attempt) => (keys.push(attempt.key), counters.countAttempt(attempt)),
      },
      keyring,
      clock: standingClock(),
      log: keptLog().log,
      addressAttemptsPerMinute: 30,
    });
    await throttle.countAddress('192.0.2.7');
    const look = async () => ({ verdict: 'wrong' as const, answer: 'wrong' });
    await throttle.attempt(known, look);
    await throttle.attempt({ authenticator: 'password', unknownIdentifier: 'name:alice' }, look);
    expect(keys).toHaveLength(3);
    for (const key of keys) expect(key).toMatch(/^[\w-]{43}$/);
  });
});

describe('row 60: guesses at once', () => {
  test('one is looked at; its failure blocks the others before they are', async () => {
    const { throttle } = await house();
    const held = gate();
    let looks = 0;
    const guesses = Array.from({ length: 20 }, () =>
      throttle.attempt(alice, async () => {
        looks += 1;
        await held.closed;
        return { verdict: 'wrong', answer: 'wrong' };
      }),
    );
    await settled();
    expect(looks).toBe(1);
    held.open();
    const answers = await Promise.all(guesses);
    expect(looks).toBe(1);
    expect(answers).toEqual(['wrong', ...Array.from({ length: 19 }, () => throttled(1))]);
  });

  test('right answers at once are all taken, in their order', async () => {
    const { throttle, looks, answerWith } = await house();
    const answers = await Promise.all(Array.from({ length: 20 }, () => throttle.attempt(alice, answerWith('right'))));
    expect(answers).toEqual(Array.from({ length: 20 }, () => 'right'));
    expect(looks()).toBe(20);
  });

  test('more than may wait are sent away at once; other accounts are not held up', async () => {
    const { throttle, right } = await house({ waitingPerBudget: 2 });
    const held = gate();
    const slow = () =>
      throttle.attempt(alice, async () => {
        await held.closed;
        return { verdict: 'right', answer: 'right' };
      });
    const waiting = [slow(), slow(), slow()];
    expect(await slow()).toEqual(throttled(1));
    expect(await right({ ...alice, accountId: 'bob' })).toBe('right');
    held.open();
    expect(await Promise.all(waiting)).toEqual(['right', 'right', 'right']);
    expect(await slow()).toBe('right');
  });

  test('two processes count together', async () => {
    const { throttleOver, clock } = await house();
    const { store, open } = await emptyStore();
    const processes = [throttleOver(store.accounts), throttleOver((await open()).accounts)];
    const [wrong, elsewhere] = processes.map(
      (throttle) => () => throttle.attempt(alice, async () => ({ verdict: 'wrong', answer: 'wrong' })),
    ) as [() => Promise<unknown>, () => Promise<unknown>];
    expect(await wrong()).toBe('wrong');
    expect(await elsewhere()).toEqual(throttled(1));
    clock.pass(1);
    expect(await elsewhere()).toBe('wrong');
    clock.pass(1);
    expect(await wrong()).toBe('wrong');
    expect(await elsewhere()).toEqual(throttled(3));
  });

  test('a look that fails is told to its caller alone, counts nothing and blocks nobody', async () => {
    const { throttle, right } = await house();
    const broken = throttle.attempt(alice, () => Promise.reject(new Error('store down')));
    const next = right();
    await expect(broken).rejects.toThrow('store down');
    expect(await next).toBe('right');
  });

  test('a line that is empty again is forgotten', async () => {
    const line = createAttemptLine({ waiting: 0 });
    for (let time = 0; time < 3; time += 1) expect(await line.enter('key', async () => time)).toBe(time);
    const held = gate();
    const first = line.enter('key', () => held.closed);
    expect(await line.enter('key', async () => 'second')).toBe('full');
    expect(await line.enter('other', async () => 'other')).toBe('other');
    expect(line.keys).toBe(1);
    held.open();
    await first;
    expect(line.keys).toBe(0);
    expect(await line.enter('key', async () => 'third')).toBe('third');
  });
});

describe('addresses', () => {
  test('thirty attempts a minute, the next one waits for the next minute', async () => {
    const { throttle, clock } = await house();
    clock.pass(60 - (start.getTime() % 60_000) / 1000 + 15);
    for (let time = 0; time < 30; time += 1) expect(await throttle.countAddress('192.0.2.7')).toBeNull();
    expect(await throttle.countAddress('192.0.2.7')).toEqual(throttled(45));
    expect(await throttle.countAddress('192.0.2.8')).toBeNull();
    clock.pass(44.999);
    expect(await throttle.countAddress('192.0.2.7')).toEqual(throttled(1));
    clock.pass(0.001);
    expect(await throttle.countAddress('192.0.2.7')).toBeNull();
  });

  test('the number comes from the configuration', async () => {
    const { throttle } = await house({ addressAttemptsPerMinute: 2 });
    const answers = [];
    for (let time = 0; time < 3; time += 1) answers.push((await throttle.countAddress('192.0.2.7'))?.refused ?? null);
    expect(answers).toEqual([null, null, 'throttled']);
  });

  const sameNetwork = [
    ['mapped, as text', '192.0.2.7', '::ffff:192.0.2.7'],
    ['mapped, in hexadecimal', '192.0.2.7', '::FFFF:c000:0207'],
    ['mapped, written out', '192.0.2.7', '0:0:0:0:0:ffff:c000:207'],
    ['one /64', '2001:db8:1:2::1', '2001:DB8:1:2:ffff:ffff:ffff:ffff'],
    ['one /64, shortened elsewhere', '2001:db8::1', '2001:0db8:0:0:5::'],
    ['a zone', 'fe80::1%eth0', 'fe80::2%eth1'],
    ['loopback', '::1', '0:0:0:0:0:0:0:1'],
  ] as const;
  test.for(sameNetwork)('one network: %s', ([, one, other]) => {
    expect(networkOf(other)).toBe(networkOf(one));
  });

  const otherNetworks = [
    ['192.0.2.7', '192.0.2.8'],
    ['2001:db8:1:2::1', '2001:db8:1:3::1'],
    ['::1', '0.0.0.1'],
    ['::1', 'unreadable'],
    ['::ffff:0:1', '::1'],
    ['1::', '0:1::'],
  ] as const;
  test.for(otherNetworks)('two networks: %s and %s', ([one, other]) => {
    expect(networkOf(other)).not.toBe(networkOf(one));
  });

  // CVE-2024-47070: what could not be read was not counted.
  describe('row 61: what cannot be read shares one budget', () => {
    const unreadable = [
      undefined,
      '',
      ' ',
      'unknown',
      'localhost',
      '192.0.2.7:80',
      '[::1]',
      '192.0.2.7, 192.0.2.8',
      '010.0.0.1',
      '1.2.3',
      '256.0.0.1',
      '::ffff:1.2.3.999',
      'fe80::1::2',
      '%eth0',
      '_hidden',
      'x'.repeat(10_000),
    ];
    test('and skips nothing', async () => {
      const { throttle } = await house({ addressAttemptsPerMinute: unreadable.length });
      for (const address of unreadable) expect(await throttle.countAddress(address)).toBeNull();
      for (const address of unreadable) {
        expect(await throttle.countAddress(address)).toMatchObject({ refused: 'throttled' });
      }
      expect(await throttle.countAddress('192.0.2.7')).toBeNull();
    });
  });
});
