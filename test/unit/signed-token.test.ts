/** Which signatures count, and which key may make which. */
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';

import { keep } from '../../src/connections/oidc/kept.ts';
import { readKeySet } from '../../src/connections/oidc/provider-keys.ts';
import { checkSignature, readSignedToken, SIGNING_ALGORITHMS } from '../../src/connections/oidc/signed-token.ts';
import { movableClock } from '../support/upstream-connection.ts';

type Pair = { readonly privateKey: CryptoKey; readonly jwk: JWK };
const pairs = new Map<string, Pair>();
beforeAll(async () => {
  for (const alg of SIGNING_ALGORITHMS) {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    pairs.set(alg, { privateKey, jwk: await exportJWK(publicKey) });
  }
}, 60_000);

const pair = (alg: string): Pair => pairs.get(alg) as Pair;
const sign = (alg: string, header: Record<string, unknown> = {}) =>
  new SignJWT({ sub: 'ada' }).setProtectedHeader({ alg, ...header }).sign(pair(alg).privateKey);

/** What a token is worth where a provider publishes these keys; and how often it was asked for them. */
async function judge(token: string, ...sets: unknown[][]) {
  let asked = 0;
  const clock = movableClock({ still: true });
  const load = async () => readKeySet({ keys: sets[Math.min(asked++, sets.length - 1)] });
  const keys = keep({ load, clock });
  await keys.get();
  clock.advance(6);
  const read = readSignedToken(token);
  return { verdict: 'refused' in read ? read.refused : await checkSignature(read, keys), asked };
}

describe('each algorithm', () => {
  test.each(SIGNING_ALGORITHMS)('%s is verified, by its own key alone', async (alg) => {
    const token = await sign(alg, { kid: 'k' });
    expect(await judge(token, [{ ...pair(alg).jwk, kid: 'k', alg, use: 'sig' }])).toEqual({
      verdict: 'valid',
      asked: 1,
    });
    for (const other of SIGNING_ALGORITHMS.filter((one) => one !== alg)) {
      const { verdict } = await judge(token, [{ ...pair(other).jwk, kid: 'k', use: 'sig' }]);
      // A key of the same kind could have made it, and has not; one of another kind is never tried.
      const isSameKind = pair(other).jwk.kty === pair(alg).jwk.kty && pair(other).jwk.crv === pair(alg).jwk.crv;
      expect([other, verdict]).toEqual([other, isSameKind ? 'bad-signature' : 'unknown-key']);
    }
  });

  test('is held to what its key is for', async () => {
    const token = await sign('RS256', { kid: 'k' });
    const { jwk } = pair('RS256');
    expect(await judge(token, [{ ...jwk, kid: 'k', alg: 'RS512' }])).toMatchObject({ verdict: 'unknown-key' });
    expect(await judge(token, [{ ...jwk, kid: 'k', alg: 'RSA-OAEP' }])).toMatchObject({ verdict: 'unknown-key' });
    expect(await judge(token, [{ ...jwk, kid: 'k', use: 'enc' }])).toMatchObject({ verdict: 'unknown-key' });
    expect(await judge(token, [{ ...jwk, kid: 'k', key_ops: ['encrypt'] }])).toMatchObject({ verdict: 'unknown-key' });
    expect(await judge(token, [{ ...jwk, kid: 'k', key_ops: ['verify'] }])).toMatchObject({ verdict: 'valid' });
  });

  test.each(['none', 'HS256', 'HS384', 'HS512', 'ES256K', 'rs256', 'RSA-OAEP', 'dir', '__proto__', 'constructor', ''])(
    '%j is not one',
    async (alg) => {
      const token = await sign('ES256', { kid: 'k' });
      const forged = `${Buffer.from(JSON.stringify({ alg, kid: 'k' })).toString('base64url')}${token.slice(token.indexOf('.'))}`;
      expect(await judge(forged, [{ ...pair('ES256').jwk, kid: 'k' }])).toEqual({ verdict: 'algorithm', asked: 1 });
    },
  );

  test('ECDSA in DER, which other formats use, is no signature here', async () => {
    const [head, body, signature = ''] = (await sign('ES256', { kid: 'k' })).split('.');
    const raw = Buffer.from(signature, 'base64url');
    const integer = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([2, 33, 0]), bytes]);
    const both = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))]);
    const der = Buffer.concat([Buffer.from([0x30, both.length]), both]).toString('base64url');
    expect(await judge(`${head}.${body}.${der}`, [{ ...pair('ES256').jwk, kid: 'k' }])).toMatchObject({
      verdict: 'bad-signature',
    });
  });

  test('ECDSA of zeros, which a careless verifier takes for any signature, is none (CVE-2022-21449)', async () => {
    const token = await sign('ES256', { kid: 'k' });
    const zeros = Buffer.alloc(64).toString('base64url');
    expect(
      await judge(token.slice(0, token.lastIndexOf('.') + 1) + zeros, [{ ...pair('ES256').jwk, kid: 'k' }]),
    ).toMatchObject({ verdict: 'bad-signature' });
  });
});

describe('a key set', () => {
  test.each<[string, (jwk: JWK) => unknown]>([
    ['a shared secret', () => ({ kty: 'oct', k: 'AAAA', kid: 'k' })],
    ['one that shows its private half', (jwk) => ({ ...jwk, kid: 'k', d: 'AAAA' })],
    ['one whose kid is a number', (jwk) => ({ ...jwk, kid: 7 })],
    ['one off its curve', (jwk) => ({ ...jwk, kid: 'k', x: jwk.y })],
    ['null', () => null],
    ['a word', () => 'key'],
  ])('%s in it is left out, and the rest counts', async (_name, bend) => {
    const { jwk } = pair('ES256');
    const token = await sign('ES256', { kid: 'k' });
    expect(await judge(token, [{ ...jwk, kid: 'k' }])).toMatchObject({ verdict: 'valid' });
    expect(await judge(token, [bend(jwk), { ...jwk, kid: 'other' }])).toMatchObject({ verdict: 'unknown-key' });
    expect(await judge(token, [bend(jwk), { ...jwk, kid: 'k' }])).toMatchObject({ verdict: 'valid' });
    expect(readKeySet({ keys: [bend(jwk)] })).toEqual([]);
  });

  test('an RSA key that could be computed is left out', () => {
    const jwk = (bytes: number) => ({ kty: 'RSA', e: 'AQAB', n: Buffer.alloc(bytes, 0xff).toString('base64url') });
    expect(readKeySet({ keys: [jwk(128), jwk(255)] })).toHaveLength(0);
    expect(readKeySet({ keys: [jwk(256), jwk(2048)] })).toHaveLength(2);
    expect(readKeySet({ keys: [jwk(2049)] })).toHaveLength(0);
  });

  test.each([null, 'x', [], {}, { keys: {} }, { keys: Array.from({ length: 101 }, () => ({})) }])(
    'that is %j is none',
    (document) => expect(() => readKeySet(document)).toThrow(/key set/),
  );
});

describe('a token', () => {
  test('whose claims are not UTF-8 is none, though a careless reader could make words of them', async () => {
    const [head] = (await sign('ES256')).split('.');
    const claims = (bytes: number[]): string =>
      Buffer.concat([Buffer.from('{"sub":"'), Buffer.from(bytes), Buffer.from('"}')]).toString('base64url');
    expect(readSignedToken(`${head}.${claims([0x61])}.`)).toMatchObject({ claims: { sub: 'a' } });
    expect(readSignedToken(`${head}.${claims([0xff])}.`)).toMatchObject({ refused: 'malformed' });
  });

  test('that names no key is verified where there is one, and not where there are two', async () => {
    const token = await sign('ES256');
    const one = { ...pair('ES256').jwk, kid: '1' };
    const another = {
      ...(await exportJWK((await generateKeyPair('ES256', { extractable: true })).publicKey)),
      kid: '2',
    };
    expect(await judge(token, [one])).toMatchObject({ verdict: 'valid' });
    expect(await judge(token, [one, pair('RS256').jwk])).toMatchObject({ verdict: 'valid' });
    expect(await judge(token, [one, another])).toMatchObject({ verdict: 'unknown-key' });
  });

  test('that names no key is tried once more with the keys of now', async () => {
    const old = await exportJWK((await generateKeyPair('ES256', { extractable: true })).publicKey);
    expect(await judge(await sign('ES256'), [old], [pair('ES256').jwk])).toEqual({ verdict: 'valid', asked: 2 });
  });

  test('that names a known key is not: whoever forges one makes us ask for nothing', async () => {
    const old = await exportJWK((await generateKeyPair('ES256', { extractable: true })).publicKey);
    const token = await sign('ES256', { kid: 'k' });
    expect(await judge(token, [{ ...old, kid: 'k' }], [{ ...pair('ES256').jwk, kid: 'k' }])).toEqual({
      verdict: 'bad-signature',
      asked: 1,
    });
  });
});
