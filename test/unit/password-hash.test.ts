import * as argon2 from 'argon2';
import { describe, expect, test, vi } from 'vitest';
import { createHashSlots } from '../../src/authn/hash-slots.ts';
import { createPasswordHasher, HASH_FLOOR, normalisePassword } from '../../src/authn/password-hash.ts';
import { openKeyring } from '../../src/platform/keyring.ts';
import { gate, keyring, settled } from '../support/authn-world.ts';

// The real thing, watched.
vi.mock('argon2', async (original) => {
  const real = await original<typeof argon2>();
  return { ...real, verify: vi.fn(real.verify) };
});

// As low as argon2 goes: these tests are about what is done, not about what it costs.
const CHEAP = { memoryKiB: 64, iterations: 2, parallelism: 1 };
const FLOOR = { memoryKiB: 8, iterations: 1, parallelism: 1 };

const hasherWith = (overrides: Partial<Parameters<typeof createPasswordHasher>[0]> = {}) =>
  createPasswordHasher({ keyring, parameters: CHEAP, floor: FLOOR, cores: 4, ...overrides });

const hashOf = async (hasher: ReturnType<typeof hasherWith>, password: string): Promise<string> => {
  const hashed = await hasher.hash(password);
  if ('refused' in hashed) throw new Error(hashed.refused);
  return hashed.hash;
};

test('a password opens the hash it made, and no other does', async () => {
  const hasher = hasherWith();
  const hash = await hashOf(hasher, 'nine purple otters');
  expect(hash).toMatch(/^\$argon2id\$v=19\$m=64,(t=2,p=1|p=1,t=2)\$/);
  expect(await hasher.verify(hash, 'nine purple otters')).toEqual({ ok: true, weaker: false });
  expect(await hasher.verify(hash, 'nine purple otterS')).toEqual({ ok: false, weaker: false });
  expect(await hasher.verify(hash, '')).toEqual({ ok: false, weaker: false });
});

test('two hashes of one password differ', async () => {
  const hasher = hasherWith();
  expect(await hashOf(hasher, 'same')).not.toBe(await hashOf(hasher, 'same'));
});

test('a hash is worth nothing without the pepper of its keyring', async () => {
  const other = openKeyring({
    version: 1,
    index: Buffer.alloc(32, 9).toString('base64url'),
    keys: [{ version: 1, root: Buffer.alloc(32, 2).toString('base64url'), createdAt: '2031-01-01T00:00:00.000Z' }],
  });
  const hash = await hashOf(hasherWith(), 'nine purple otters');
  expect(await hasherWith({ keyring: other }).verify(hash, 'nine purple otters')).toMatchObject({ ok: false });
});

describe('parameters', () => {
  const stronger = [
    { ...CHEAP, memoryKiB: 128 },
    { ...CHEAP, iterations: 3 },
  ];
  test.for(stronger)('a hash made under less than %o is weaker once it is opened', async (parameters) => {
    const hash = await hashOf(hasherWith(), 'right');
    const later = hasherWith({ parameters });
    expect(await later.verify(hash, 'right')).toEqual({ ok: true, weaker: true });
    expect(await later.verify(hash, 'wrong')).toEqual({ ok: false, weaker: false });
    expect(await later.verify(await hashOf(later, 'right'), 'right')).toEqual({ ok: true, weaker: false });
  });

  test('a hash made with more work is not weaker', async () => {
    const hash = await hashOf(hasherWith({ parameters: { memoryKiB: 128, iterations: 3, parallelism: 2 } }), 'right');
    expect(await hasherWith().verify(hash, 'right')).toEqual({ ok: true, weaker: false });
  });

  const tooLittle = [
    { ...HASH_FLOOR, memoryKiB: HASH_FLOOR.memoryKiB - 1 },
    { ...HASH_FLOOR, iterations: HASH_FLOOR.iterations - 1 },
    { ...HASH_FLOOR, parallelism: 0 },
    { ...HASH_FLOOR, memoryKiB: Number.NaN },
  ];
  test.for(tooLittle)('%o is refused', (parameters) => {
    expect(() => createPasswordHasher({ keyring, parameters })).toThrow(RangeError);
  });

  test('the floor itself is accepted', () => {
    expect(HASH_FLOOR).toEqual({ memoryKiB: 19_456, iterations: 2, parallelism: 1 });
    expect(() => createPasswordHasher({ keyring, parameters: HASH_FLOOR })).not.toThrow();
  });
});

describe('which texts are one password', () => {
  const same = [
    ['composed and decomposed', 'caf\u00e9 au lait', 'cafe\u0301 au lait'],
    ['full and half width', 'ｐａｓｓ', 'pass'],
  ] as const;
  test.for(same)('%s', async ([, chosen, typed]) => {
    const hasher = hasherWith();
    expect(await hasher.verify(await hashOf(hasher, chosen), typed)).toMatchObject({ ok: true });
  });

  test('case and blanks count', async () => {
    const hasher = hasherWith();
    const hash = await hashOf(hasher, ' Pass word ');
    for (const typed of ['Pass word', ' pass word ', ' Password ']) {
      expect(await hasher.verify(hash, typed)).toMatchObject({ ok: false });
    }
  });
});

describe('what is too long is refused, not cut', () => {
  const lengths = [
    ['256 letters', 'x'.repeat(256), true],
    ['257 letters', 'x'.repeat(257), false],
    ['256 emoji', '🦦'.repeat(256), true],
    ['257 emoji', '🦦'.repeat(257), false],
    ['20 characters that normalise to 360', '\ufdfa'.repeat(20), false],
    ['a megabyte', 'x'.repeat(1_000_000), false],
    ['half a character', 'nine purple otters \ud83e', false],
  ] as const;
  test.for(lengths)('%s', async ([, password, usable]) => {
    const hasher = hasherWith();
    expect(normalisePassword(password) !== null).toBe(usable);
    expect(await hasher.hash(password)).toEqual(usable ? { hash: expect.any(String) } : { refused: 'unusable' });
  });

  test('and opens nothing', async () => {
    const hasher = hasherWith();
    const hash = await hashOf(hasher, 'x'.repeat(256));
    expect(await hasher.verify(hash, 'x'.repeat(257))).toEqual({ ok: false, weaker: false });
  });
});

describe('row 59: nobody costs what somebody costs', () => {
  test('nobody never has a password', async () => {
    const hasher = hasherWith();
    for (const password of ['', 'nine purple otters', 'x'.repeat(300)]) {
      expect(await hasher.verifyNothing(password)).toEqual({ ok: false, weaker: false });
    }
  });

  test('both take a place in the same line', async () => {
    const hasher = hasherWith({ cores: 1, waiting: 1 });
    const hash = await hashOf(hasher, 'right');
    const answers = await Promise.all([
      hasher.verifyNothing('wrong'),
      hasher.verifyNothing('wrong'),
      hasher.verify(hash, 'right'),
      hasher.verifyNothing('wrong'),
    ]);
    const overloaded = { refused: 'overloaded', retryAfterSeconds: expect.any(Number) };
    const no = { ok: false, weaker: false };
    expect(answers).toEqual([no, no, overloaded, overloaded]);
  });

  test('both ask argon2 for the same work', async () => {
    const hasher = hasherWith({ parameters: { memoryKiB: 96, iterations: 3, parallelism: 2 } });
    const hash = await hashOf(hasher, 'right');
    vi.mocked(argon2.verify).mockClear();
    await hasher.verify(hash, 'wrong');
    await hasher.verifyNothing('wrong');
    const [somebody, nobody] = vi.mocked(argon2.verify).mock.calls.map(([digest, password, options]) => {
      const [, variant, version, costs = '', salt = '', made = ''] = digest.split('$');
      return {
        variant,
        version,
        costs: costs.split(',').sort(),
        lengths: [salt.length, made.length],
        password,
        options,
      };
    });
    expect(somebody?.costs).toEqual(['m=96', 'p=2', 't=3']);
    expect(nobody).toEqual(somebody);
  });
});

test('a stored hash that cannot be read is a fault, not a wrong password', async () => {
  const hasher = hasherWith();
  for (const hash of ['', 'plain', '$2b$10$abcdefghijklmnopqrstuv', '$argon2id$v=19$m=64,t=2,p=1$']) {
    await expect(hasher.verify(hash, 'x')).rejects.toThrow('cannot be read');
  }
});

test('a caller who has gone is not hashed for', async () => {
  const hasher = hasherWith({ cores: 1 });
  const running = hasher.hash('first');
  const gone = new AbortController();
  const waiting = hasher.hash('second', gone.signal);
  gone.abort(new Error('gone'));
  await expect(waiting).rejects.toThrow('gone');
  await expect(hasher.hash('third', gone.signal)).rejects.toThrow('gone');
  expect(await running).toHaveProperty('hash');
});

describe('slots', () => {
  test('at most so many run, the rest in the order they came, and too many are told to come back', async () => {
    const slots = createHashSlots({ atOnce: 2, waiting: 2 });
    const gates = Array.from({ length: 5 }, gate);
    const begun: number[] = [];
    const answers = gates.map(({ closed }, number) =>
      slots.run(async () => {
        begun.push(number);
        await closed;
        return number;
      }),
    );
    await settled();
    expect(begun).toEqual([0, 1]);
    expect(await answers[4]).toEqual({ refused: 'overloaded', retryAfterSeconds: expect.any(Number) });
    gates[1]?.open();
    await settled();
    expect(begun).toEqual([0, 1, 2]);
    for (const { open } of gates) open();
    expect(await Promise.all(answers.slice(0, 4))).toEqual([0, 1, 2, 3]);
    expect(begun).toEqual([0, 1, 2, 3]);
  });

  test('a task that fails gives its slot back', async () => {
    const slots = createHashSlots({ atOnce: 1, waiting: 0 });
    await expect(slots.run(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(await slots.run(async () => 'next')).toBe('next');
  });

  test('whoever leaves the line frees a place, and the one behind still gets a turn', async () => {
    const slots = createHashSlots({ atOnce: 1, waiting: 2 });
    const first = gate();
    const gone = new AbortController();
    const ran: string[] = [];
    const running = slots.run(() => first.closed);
    const leaving = slots.run(async () => ran.push('left'), gone.signal);
    const staying = slots.run(async () => ran.push('stayed'));
    gone.abort(new Error('gone'));
    await expect(leaving).rejects.toThrow('gone');
    const late = slots.run(async () => ran.push('late'));
    first.open();
    await Promise.all([running, staying, late]);
    expect(ran).toEqual(['stayed', 'late']);
  });

  test('going away after the work has begun changes nothing', async () => {
    const slots = createHashSlots({ atOnce: 1, waiting: 1 });
    const first = gate();
    const gone = new AbortController();
    const running = slots.run(async () => (await first.closed, 'done'), gone.signal);
    gone.abort();
    first.open();
    expect(await running).toBe('done');
    expect(await slots.run(async () => 'next')).toBe('next');
  });
});
