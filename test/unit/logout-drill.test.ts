import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import { createLogoutDrill, type DrillReport, type DrillTarget } from '../../src/drill/logout-drill.ts';
import { judgeAcceptance, judgeRefusal } from '../../src/drill/judgement.ts';
import { signBentToken } from '../../src/oidc/bent-token.ts';
import { type Clock, systemClock } from '../../src/platform/clock.ts';
import { createOutbound } from '../../src/platform/outbound-http.ts';
import { type Receiver, type ReceiverFault, startReceiver } from '../support/logout-receiver.ts';
import { freePort } from '../support/world.ts';

const ISSUER = 'https://id.example';
const SECRET = 'a secret that only its client knows, 0123456789';
const ALGORITHMS = ['ES256', 'EdDSA', 'RS256'] as const;
type Algorithm = (typeof ALGORITHMS)[number];

const keys = new Map<Algorithm, JWK>();
beforeAll(async () => {
  for (const alg of ALGORITHMS) {
    const { privateKey } = await generateKeyPair(alg, { extractable: true });
    keys.set(alg, { ...(await exportJWK(privateKey)), kid: `key-${alg}`, alg, use: 'sig' });
  }
});
const privateKeys = (): { keys: JWK[] } => ({ keys: [...keys.values()] });
const PRIVATE = new Set(['d', 'p', 'q', 'dp', 'dq', 'qi']);
const publicKeys = () => ({
  keys: privateKeys().keys.map(
    (key) => Object.fromEntries(Object.entries(key).filter(([name]) => !PRIVATE.has(name))) as JWK,
  ),
});

type DrillSetup = {
  readonly uri: string;
  readonly alg?: Algorithm;
  readonly target?: Partial<DrillTarget>;
  readonly strict?: boolean;
  readonly secret?: string | undefined;
  readonly timeoutSeconds?: number;
  readonly signal?: AbortSignal;
  readonly clock?: Pick<Clock, 'setTimer'>;
};

async function drill({
  uri,
  alg = 'ES256',
  target = {},
  strict = false,
  timeoutSeconds = 5,
  signal = new AbortController().signal,
  clock = systemClock,
  ...more
}: DrillSetup): Promise<DrillReport | null> {
  const outbound = createOutbound({ allow: ['127.0.0.1/32'] });
  const key = keys.get(alg) ?? {};
  const drill = createLogoutDrill({
    async mint({ clientId, accountId, sid }) {
      const now = Math.floor(Date.now() / 1000);
      const token = await new SignJWT({
        iss: ISSUER,
        aud: clientId,
        sub: accountId,
        ...(sid === null ? {} : { sid }),
        iat: now,
        exp: now + 120,
        jti: randomUUID(),
        events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
      })
        .setProtectedHeader({ alg, typ: 'logout+jwt', kid: key.kid ?? '' })
        .sign(await importJWK(key, alg));
      return { uri, token };
    },
    sign: (token) =>
      signBentToken(
        { signingKeys: { load: async () => ({ jwks: privateKeys(), version: '' }) }, clock: systemClock },
        token,
      ),
    publicKeys,
    secretOf: () => ('secret' in more ? more.secret : SECRET),
    outbound,
    clock,
  });
  try {
    return await drill.run(
      { clientId: 'app', accountId: null, sid: null, sessionRequired: false, ...target },
      { timeoutSeconds, strict, signal },
    );
  } finally {
    await outbound.close();
  }
}

async function receiver(fault?: ReceiverFault): Promise<Receiver> {
  const setup = { clientId: 'app', issuer: () => ISSUER, keys: async () => publicKeys(), secret: SECRET, fault };
  const started = await startReceiver(setup);
  onTestFinished(() => started.close());
  return started;
}

/** What failed, and how. */
const flaws = (report: DrillReport | null): string[] =>
  (report?.probes ?? []).filter(({ ok }) => !ok).map(({ probe, flaw }) => `${probe}: ${flaw}`);

const decoded = (token: string | null | undefined, part: 0 | 1): Record<string, unknown> =>
  JSON.parse(Buffer.from(token?.split('.')[part] ?? '', 'base64url').toString()) as Record<string, unknown>;

test.for(ALGORITHMS)('a receiver that does everything right passes, with %s', async (alg) => {
  const { url, accepted, methods } = await receiver();
  const report = await drill({ uri: url, alg });
  expect(flaws(report)).toEqual([]);
  expect(report).toMatchObject({ clientId: 'app', reachable: true, passed: 15, total: 15 });
  expect(report?.probes.filter(({ oddStatus }) => oddStatus)).toEqual([]);
  // The one good token, and that once.
  expect(accepted).toHaveLength(1);
  expect(methods).toEqual([...Array.from({ length: 13 }, () => 'POST'), 'GET', 'POST', 'POST']);
});

test.for<[ReceiverFault, string[]]>([
  ['accepts-unsigned', ['unsigned: accepted']],
  ['accepts-changed', ['bad-signature: accepted']],
  ['accepts-strangers', ['unknown-key: accepted']],
  ['takes-public-key-for-secret', ['public-key-as-secret: accepted']],
  ['takes-its-secret-for-key', ['client-secret-as-key: accepted']],
  ['accepts-expired', ['expired: accepted']],
  ['accepts-other-audience', ['other-audience: accepted']],
  ['accepts-other-issuer', ['other-issuer: accepted']],
  ['accepts-nonce', ['nonce: accepted']],
  ['accepts-no-events', ['no-events: accepted']],
  ['accepts-no-subject', ['no-subject: accepted']],
  ['accepts-id-token', ['id-token: accepted']],
  ['accepts-nothing-at-all', ['no-token: accepted']],
  ['falls-over-at-expired', ['expired: fell-over']],
  ['refuses-everything', ['good: refused', 'no-store: not-tried', 'replay: not-tried']],
  ['redirects-good', ['good: redirected', 'no-store: not-tried', 'replay: not-tried']],
  ['says-202-to-good', ['good: refused', 'no-store: not-tried', 'replay: not-tried']],
])('a receiver that %s fails by that alone', async ([fault, expected]) => {
  const { url } = await receiver(fault);
  const report = await drill({ uri: url });
  expect(flaws(report)).toEqual(expected);
  expect(report).toMatchObject({ reachable: true, passed: 14, total: 15 });
});

test.for(['EdDSA', 'RS256'] as const)('a stranger and a confused secret are found out with %s too', async (alg) => {
  for (const [fault, probe] of [
    ['accepts-strangers', 'unknown-key'],
    ['takes-public-key-for-secret', 'public-key-as-secret'],
  ] as const) {
    const { url } = await receiver(fault);
    expect(flaws(await drill({ uri: url, alg }))).toEqual([`${probe}: accepted`]);
  }
});

test.for<[ReceiverFault, string]>([
  ['accepts-replay', 'replay: accepted'],
  ['is-cacheable', 'no-store: cacheable'],
  ['answers-get', 'get: accepted'],
])('what is only recommended (%s) is a warning, and a failure where the drill is strict', async ([fault, expected]) => {
  const { url } = await receiver(fault);
  const report = await drill({ uri: url });
  expect(flaws(report)).toEqual([expected]);
  expect(report).toMatchObject({ passed: 15, total: 15 });
  const strict = await drill({ uri: (await receiver(fault)).url, strict: true });
  expect(flaws(strict)).toEqual([expected]);
  expect(strict).toMatchObject({ passed: 17, total: 18 });
});

test('another refusal than 400 is one, and is marked', async () => {
  const { url } = await receiver('refuses-by-401');
  const report = await drill({ uri: url });
  expect(report).toMatchObject({ passed: 15, total: 15 });
  const marked = report?.probes.filter(({ oddStatus }) => oddStatus) ?? [];
  expect(marked).toHaveLength(13);
  expect(marked[0]).toMatchObject({ probe: 'unsigned', ok: true, answered: 'answered 401' });
});

test('a redirect is no refusal, and is not followed', async () => {
  const { url, methods } = await receiver('redirects-bad');
  const report = await drill({ uri: url });
  expect(report).toMatchObject({ passed: 3, total: 15 });
  expect(flaws(report)).toContain('unsigned: redirected');
  expect(methods).toHaveLength(16);
});

/** Patience that runs out when the test says so. */
function patience() {
  let runOut: (() => void) | undefined;
  const clock: Pick<Clock, 'setTimer'> = {
    setTimer(_milliseconds, run) {
      runOut = run;
      return { cancel: () => (runOut = undefined) };
    },
  };
  return { clock, runsOut: () => runOut?.() };
}

describe('who does not answer', () => {
  test('is asked twice, and then left alone', async () => {
    const { url, methods } = await receiver('hangs');
    const { clock, runsOut } = patience();
    const drilling = drill({ uri: url, clock });
    for (const request of [1, 2]) {
      await expect.poll(() => methods.length).toBe(request);
      runsOut();
    }
    const report = await drilling;
    expect(report).toMatchObject({ reachable: false, passed: 0, total: 15 });
    expect(report?.probes.slice(0, 4).map(({ answered }) => answered)).toEqual([
      'timeout',
      'timeout',
      'timeout',
      'not tried',
    ]);
    expect(methods).toHaveLength(2);
  });

  test('but once fails by that one alone', async () => {
    const { url, seen } = await receiver('hangs-at-nonce');
    const { clock, runsOut } = patience();
    const drilling = drill({ uri: url, clock });
    await expect.poll(() => seen.some((token) => token !== null && 'nonce' in decoded(token, 1))).toBe(true);
    runsOut();
    const report = await drilling;
    expect(flaws(report)).toEqual(['nonce: no-answer']);
    expect(report).toMatchObject({ reachable: true, passed: 14, total: 15 });
  });

  test('because nobody is there is unreachable, with the reason', async () => {
    const report = await drill({ uri: `http://127.0.0.1:${await freePort()}/logout` });
    expect(report).toMatchObject({ reachable: false, passed: 0 });
    expect(report?.probes[0]).toMatchObject({
      probe: 'reachable',
      answered: 'connection',
      detail: expect.stringContaining('ECONNREFUSED'),
    });
  });

  test('because Curfew does not call that address is never called', async () => {
    const report = await drill({ uri: 'http://10.1.2.3/logout' });
    expect(report?.probes[0]).toMatchObject({ ok: false, answered: 'refused-address' });
  });
});

test('a body without end is cut, and is as good as its status', async () => {
  const { url } = await receiver('sends-endless-bodies');
  const report = await drill({ uri: url });
  expect(flaws(report)).toEqual([]);
});

describe('what is sent', () => {
  test('names nobody, or the account and session it is given, and is dead within two minutes', async () => {
    for (const [target, whom] of [
      [{}, { sub: expect.stringMatching(/^[\w-]{22}$/) }],
      [{ sessionRequired: true }, { sub: expect.any(String), sid: expect.stringMatching(/^[\w-]{22}$/) }],
      [
        { accountId: 'drill', sid: 'session', sessionRequired: true },
        { sub: 'drill', sid: 'session' },
      ],
    ] as const) {
      const { url, seen } = await receiver();
      await drill({ uri: url, target });
      const claims = seen.slice(1).map((token) => decoded(token, 1));
      expect(claims).toHaveLength(14);
      for (const each of claims) {
        expect(Number(each['exp']) * 1000).toBeLessThanOrEqual(Date.now() + 120_000);
        if ('sub' in each) expect(each).toMatchObject(whom);
        expect('sid' in each).toBe('sub' in each && 'sid' in whom);
      }
      expect(new Set(claims.map(({ sub }) => sub)).size).toBe(2);
      // Each its own but the replay; an ID Token has none.
      expect(new Set(claims.map(({ jti }) => jti).filter((jti) => jti !== undefined)).size).toBe(12);
    }
  });

  test('goes to a Client told by sub alone without the sid of its session', async () => {
    const { url, accepted } = await receiver();
    await drill({ uri: url, target: { accountId: 'drill', sid: 'session' } });
    expect(accepted).toEqual([expect.not.objectContaining({ sid: 'session' })]);
  });

  test('is never signed with a secret that is not known', async () => {
    const { url, seen } = await receiver('takes-its-secret-for-key');
    const report = await drill({ uri: url, secret: undefined });
    expect(report).toMatchObject({ passed: 14, total: 14 });
    expect(seen.filter((token) => token !== null && decoded(token, 0)['alg'] === 'HS256')).toHaveLength(1);
  });

  test('is signed with no secret where others could listen', async () => {
    const report = await drill({ uri: 'http://10.1.2.3/logout' });
    expect(report?.probes.map(({ probe }) => probe)).not.toContain('client-secret-as-key');
  });

  test('is refused by whoever signs it when it would live longer than a Logout Token', async () => {
    const parts = {
      signingKeys: { load: async () => ({ jwks: privateKeys(), version: '' }) },
      clock: systemClock,
    };
    const token = (kid: string, seconds: number) => ({
      kid,
      typ: 'JWT',
      claims: { exp: Math.floor(Date.now() / 1000) + seconds },
    });
    await expect(signBentToken(parts, token('key-ES256', 300))).rejects.toThrow('outlive');
    await expect(signBentToken(parts, token('nobody', 100))).rejects.toThrow('not published');
    await expect(signBentToken(parts, token('key-ES256', 100))).resolves.toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
  });
});

test('called off, it stops at once and says nothing', async () => {
  const off = new AbortController();
  const server = createServer(() => off.abort());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  expect(await drill({ uri: `http://127.0.0.1:${port}/`, signal: off.signal })).toBeNull();
});

test('a Client that is gone has no report', async () => {
  const gone = createLogoutDrill({
    mint: async () => ({ gone: true }),
    sign: () => Promise.reject(new Error('nothing is signed')),
    publicKeys,
    secretOf: () => undefined,
    outbound: { post: () => Promise.reject(new Error('called')), fetch: () => Promise.reject(new Error('called')) },
    clock: systemClock,
  });
  const target = { clientId: 'app', accountId: null, sid: null, sessionRequired: false };
  const options = { timeoutSeconds: 5, strict: false, signal: new AbortController().signal };
  expect(await gone.run(target, options)).toBeNull();
});

test('answers are judged by the table', () => {
  const status = (status: number) => ({ status, noStore: false });
  const refusals = [200, 204, 202, 302, 400, 404, 500].map((each) => judgeRefusal(status(each)).flaw);
  expect(refusals).toEqual(['accepted', 'accepted', 'accepted', 'redirected', null, null, 'fell-over']);
  const acceptances = [200, 204, 202, 302, 400, 404, 500].map((each) => judgeAcceptance(status(each)).flaw);
  expect(acceptances).toEqual([null, null, 'refused', 'redirected', 'refused', 'refused', 'fell-over']);
});
