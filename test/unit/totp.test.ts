import { describe, expect, test } from 'vitest';

import { createTotp, looksLikeTotp } from '../../src/authn/totp.ts';
import { openKeyring, SealBroken } from '../../src/platform/keyring.ts';
import { codeOf } from '../support/authenticator.ts';
import { authnWorld, keyring } from '../support/authn-world.ts';
import { signOutRequest } from '../support/records.ts';

const issuer = 'https://id.house.test';

async function totpWorld() {
  const house = await authnWorld();
  const { store, clock, alice } = house;
  const totp = createTotp({ store: store.accounts, revocations: store.revocations, keyring, clock, issuer });
  const person = { accountId: alice.id, username: 'alice' };
  const standing = () => store.revocations.epochs(['everyone', `account:${alice.id}`]);
  const code = (secret: string, steps = 0): string => codeOf(secret, { at: clock.now(), steps });
  const confirm = async (enrolment: string, typed: string, accountId = alice.id) =>
    totp.confirm({ accountId, enrolment, code: typed, standing: await standing() });
  /** Sets an app up, and waits until its first code is long over. */
  const setUp = async (): Promise<string> => {
    const { secret, enrolment } = totp.begin(person);
    expect(await confirm(enrolment, code(secret))).toBe('confirmed');
    clock.pass(300);
    return secret;
  };
  /** Moves to so many seconds after the beginning of the next step but ten; resolves to that step's code. */
  const moveAround = (secret: string, seconds: number): string => {
    const now = Math.floor(clock.now().getTime() / 1000);
    const begins = (Math.floor(now / 30) + 10) * 30;
    clock.pass(begins + seconds - now);
    return codeOf(secret, { at: new Date(begins * 1000) });
  };
  return { ...house, totp, person, standing, code, confirm, setUp, moveAround };
}

test('a secret is 160 random bits (RFC 4226 §4, R6), in letters and for the camera', async () => {
  const { totp, person } = await totpWorld();
  const [one, other] = [totp.begin(person), totp.begin(person)];
  expect(one.secret).toMatch(/^[A-Z2-7]{32}$/);
  expect(one.secret).not.toBe(other.secret);
  const uri = new URL(one.uri);
  expect([uri.protocol, uri.host, decodeURIComponent(uri.pathname)]).toEqual([
    'otpauth:',
    'totp',
    '/id.house.test:alice',
  ]);
  expect(uri.searchParams.get('secret')).toBe(one.secret);
  expect(uri.searchParams.get('issuer')).toBe('id.house.test');
  expect(one.enrolment).not.toContain(one.secret);
});

// RFC 6238 §5.2: one step before and one after, to the second.
test.for([
  [-31, false],
  [-30, true],
  [0, true],
  [29, true],
  [59, true],
  [60, false],
] as const)('a code %i seconds after its half minute began: %s', async ([seconds, good]) => {
  const { totp, alice, setUp, moveAround } = await totpWorld();
  const code = moveAround(await setUp(), seconds);
  expect(await totp.use(alice.id, code)).toBe(good);
});

describe('64: a code is good once', () => {
  test('and none of its own step or an earlier one after it', async () => {
    const { totp, alice, code, setUp } = await totpWorld();
    const secret = await setUp();
    expect(await totp.use(alice.id, code(secret))).toBe(true);
    expect(await totp.use(alice.id, code(secret))).toBe(false);
    expect(await totp.use(alice.id, code(secret, -1))).toBe(false);
    expect(await totp.use(alice.id, code(secret, 1))).toBe(true);
    expect(await totp.use(alice.id, code(secret))).toBe(false);
  });

  test('that which set the app up included', async () => {
    const { totp, alice, person, code, confirm } = await totpWorld();
    const { secret, enrolment } = totp.begin(person);
    const first = code(secret);
    expect(await confirm(enrolment, first)).toBe('confirmed');
    expect(await totp.use(alice.id, first)).toBe(false);
    expect(await totp.use(alice.id, code(secret, 1))).toBe(true);
  });

  test('on whichever node it is used', async () => {
    const { totp, open, clock, alice, code, setUp } = await totpWorld();
    const secret = await setUp();
    const { accounts, revocations } = await open();
    const other = createTotp({ store: accounts, revocations, keyring, clock, issuer });
    const outcomes = await Promise.all([totp, other].map((node) => node.use(alice.id, code(secret))));
    expect(outcomes.filter(Boolean)).toHaveLength(1);
  });
});

test('a code is read as people type it, and nothing else is one', async () => {
  const { totp, alice, code, setUp } = await totpWorld();
  const secret = await setUp();
  const plain = code(secret);
  for (const bent of [plain.slice(1), `${plain}0`, ` ${plain}x`, '１２３４５６', '', `+${plain.slice(1)}`]) {
    expect([bent, looksLikeTotp(bent), await totp.use(alice.id, bent)]).toEqual([bent, false, false]);
  }
  expect(await totp.use(alice.id, `${plain.slice(0, 3)} ${plain.slice(3)}`)).toBe(true);
});

describe('what is being set up', () => {
  test('opens until ten minutes are over, and not at that very moment', async () => {
    const { totp, person, clock, code, confirm } = await totpWorld();
    const [early, late] = [totp.begin(person), totp.begin(person)];
    clock.pass(599);
    expect(totp.resume(person, early.enrolment)?.secret).toBe(early.secret);
    expect(await confirm(early.enrolment, code(early.secret))).toBe('confirmed');
    clock.pass(1);
    expect(totp.resume(person, late.enrolment)).toBeNull();
    expect(await confirm(late.enrolment, code(late.secret))).toBe('expired');
  });

  test('is not given longer by being shown again', async () => {
    const { totp, person, clock } = await totpWorld();
    const { enrolment } = totp.begin(person);
    clock.pass(599);
    const again = totp.resume(person, enrolment)?.enrolment ?? '';
    clock.pass(1);
    expect(totp.resume(person, again)).toBeNull();
  });

  test('is nobody else’s, and nothing that was sealed for anything else', async () => {
    const { totp, person, addAccount, code, confirm, clock, store } = await totpWorld();
    const bob = await addAccount('bob');
    const { secret, enrolment } = totp.begin(person);
    const attempt = (sealed: string, accountId: string) => confirm(sealed, code(secret), accountId);
    expect(await attempt(enrolment, bob.id)).toBe('expired');
    const content = JSON.stringify({ secret, until: new Date(clock.now().getTime() + 60_000) });
    const context = { collection: 'enrolments', field: 'totp', id: person.accountId };
    const other = openKeyring({
      version: 1,
      index: Buffer.alloc(32, 1).toString('base64url'),
      keys: [{ version: 1, root: Buffer.alloc(32, 3).toString('base64url'), createdAt: '2031-01-01T00:00:00.000Z' }],
    });
    const forged = {
      'for another purpose': keyring.seal('challenge', context, content),
      'for another field': keyring.seal('enrolment', { ...context, field: 'passkey' }, content),
      'with another keyring': other.seal('enrolment', context, content),
      'not at all': content,
      'and cut': enrolment.slice(0, -4),
    };
    for (const [how, sealed] of Object.entries(forged)) {
      expect([how, await attempt(sealed, person.accountId)]).toEqual([how, 'expired']);
    }
    expect(await store.accounts.credentialsOf(person.accountId)).toEqual([]);
    // So that it was not the code.
    expect(await attempt(keyring.seal('enrolment', context, content), person.accountId)).toBe('confirmed');
  });
});

test('a sign-out of its account, or of everybody, between the page and the code leaves nothing of it', async () => {
  const { totp, store, alice, person, code, standing, clock } = await totpWorld();
  const { secret, enrolment } = totp.begin(person);
  for (const scope of [{ kind: 'account', accountId: alice.id }, { kind: 'everyone' }] as const) {
    const seen = await standing();
    await store.revocations.signOut(signOutRequest(scope.kind, scope, { at: clock.now() }));
    const attempt = { accountId: alice.id, enrolment, code: code(secret), standing: seen };
    expect(await totp.confirm(attempt)).not.toBe('confirmed');
    expect(await totp.of(alice.id)).toBeNull();
  }
});

test('another app takes the place of the former', async () => {
  const { totp, alice, code, setUp } = await totpWorld();
  const former = await setUp();
  const present = await setUp();
  expect(await totp.use(alice.id, code(former))).toBe(false);
  expect(await totp.use(alice.id, code(present))).toBe(true);
  expect(await totp.remove(alice.id)).toBe(true);
  expect([await totp.remove(alice.id), await totp.of(alice.id)]).toEqual([false, null]);
  expect(await totp.use(alice.id, code(present, 1))).toBe(false);
});

test('a secret that was moved to another account does not open there', async () => {
  const { totp, alice, addAccount, store, setUp } = await totpWorld();
  await setUp();
  const bob = await addAccount('bob');
  const [stolen] = await store.accounts.credentialsOf(alice.id);
  if (stolen === undefined) throw new Error('nothing is kept');
  await store.accounts.addCredential({ ...stolen, id: 'moved', accountId: bob.id }, { most: 1 });
  await expect(totp.use(bob.id, '123456')).rejects.toThrow(SealBroken);
});
