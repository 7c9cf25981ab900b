/** What is kept of a provider, for how long, and what happens while it is away. */
import { afterEach, describe, expect, test } from 'vitest';

import { keep } from '../../src/connections/oidc/kept.ts';
import { without } from '../support/upstream-behaviour.ts';
import { connect, type Connection, movableClock, newAttempt, outwait } from '../support/upstream-connection.ts';
import { startUpstream, type Upstream, type UpstreamOptions } from '../support/upstream-idp.ts';

const ended: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0)) await end();
});

async function world(options: UpstreamOptions = {}) {
  const clock = movableClock({ still: true });
  const upstream = await startUpstream({ accounts: [{ sub: 'ada' }], ...options });
  const connection = connect(upstream, { clock });
  ended.push(connection.close, upstream.stop);
  return { clock, upstream, connection };
}

const times = ({ requests }: Upstream, path: string): number => requests.filter((asked) => asked === path).length;
const DISCOVERY = '/.well-known/openid-configuration';
const start = ({ provider }: Connection) => provider.start({ attempt: newAttempt() });

describe('discovery and keys', () => {
  test('are asked for once, however many ask at once', async () => {
    const { upstream, connection } = await world();
    const started = await Promise.all(Array.from({ length: 20 }, () => start(connection)));
    expect(started.filter((one) => 'url' in one)).toHaveLength(20);
    expect(times(upstream, DISCOVERY)).toBe(1);
    await Promise.all(Array.from({ length: 20 }, () => connection.provider.keys.get()));
    expect(times(upstream, '/jwks')).toBe(1);
  });

  test('are asked for again after ten minutes, and not before', async () => {
    const { clock, upstream, connection } = await world();
    await connection.provider.keys.get();
    clock.advance(599);
    await connection.provider.keys.get();
    expect([times(upstream, DISCOVERY), times(upstream, '/jwks')]).toEqual([1, 1]);
    clock.advance(2);
    await connection.provider.keys.get();
    expect([times(upstream, DISCOVERY), times(upstream, '/jwks')]).toEqual([2, 2]);
  });

  test('serve an hour while the provider is away, then no more, and are new once it is back', async () => {
    const { clock, upstream, connection } = await world();
    expect(await start(connection)).toHaveProperty('url');
    await upstream.goDown();
    clock.advance(601);
    expect(await start(connection)).toHaveProperty('url');
    clock.advance(3600 - 602);
    expect(await start(connection)).toHaveProperty('url');
    clock.advance(2);
    expect(await start(connection)).toMatchObject({ refused: 'provider-unreachable' });
    await upstream.comeBack();
    expect(await start(connection)).toHaveProperty('url');
  });

  test('an outage is not waited out by everybody: half a minute passes before the next look', async () => {
    const { clock, upstream, connection } = await world();
    await start(connection);
    upstream.behave({ down: { discovery: 503 } });
    clock.advance(601);
    for (let nth = 0; nth < 5; nth++) expect(await start(connection)).toHaveProperty('url');
    expect(times(upstream, DISCOVERY)).toBe(2);
    clock.advance(31);
    await start(connection);
    expect(times(upstream, DISCOVERY)).toBe(3);
  });

  test('strangers make us look for unknown keys at most once in five seconds', async () => {
    const { clock, upstream, connection } = await world();
    const { keys } = connection.provider;
    await keys.get();
    clock.advance(60);
    for (let nth = 0; nth < 20; nth++) await keys.lookAgain();
    expect(times(upstream, '/jwks')).toBe(2);
    clock.advance(5);
    await Promise.all(Array.from({ length: 20 }, () => keys.lookAgain()));
    expect(times(upstream, '/jwks')).toBe(3);
    // Nor does a failure invite more: it stands as long.
    upstream.behave({ down: { jwks: 500 } });
    clock.advance(5);
    for (let nth = 0; nth < 20; nth++) await expect(keys.lookAgain()).rejects.toThrow('500');
    expect(times(upstream, '/jwks')).toBe(4);
    expect(await keys.get()).toHaveLength(1);
  });

  test('a failure is forgotten with the next success', async () => {
    let loads = 0;
    const load = async (): Promise<number> => {
      if ((loads += 1) === 1) throw new Error('the first fails');
      return loads;
    };
    const kept = keep({ load, clock: movableClock({ still: true }) });
    await expect(kept.get()).rejects.toThrow('the first fails');
    expect(await kept.get()).toBe(2);
    expect(await kept.lookAgain()).toBe(2);
  });

  test('a clock that is set back makes nothing last longer', async () => {
    let now = new Date('2026-01-01T12:00:00Z');
    let loads = 0;
    const kept = keep({ load: async () => (loads += 1), clock: { ...movableClock({ still: true }), now: () => now } });
    expect(await kept.get()).toBe(1);
    now = new Date('2026-01-01T06:00:00Z');
    expect(await kept.get()).toBe(2);
    expect(await kept.get()).toBe(2);
  });
});

describe('a provider', () => {
  const json = (body: unknown) => ({ status: 200, body: JSON.stringify(body) });
  test.each([
    ['answers 500', { down: { discovery: 500 } }, 'provider-unreachable'],
    ['asks for patience', { down: { discovery: 429 } }, 'provider-unreachable'],
    ['has no discovery', { down: { discovery: 404 } }, 'provider-unusable'],
    [
      'answers with a page',
      { down: { discovery: { status: 200, type: 'text/html', body: '<p>Hello' } } },
      'provider-unusable',
    ],
    ['answers with a list', { down: { discovery: json([]) } }, 'provider-unusable'],
    [
      'has another issuer',
      { discovery: (all: object) => ({ ...all, issuer: 'https://evil.test' }) },
      'provider-unusable',
    ],
    [
      'has its issuer with a slash',
      { discovery: (all: { issuer?: unknown }) => ({ ...all, issuer: `${String(all.issuer)}/` }) },
      'provider-unusable',
    ],
    ['has no keys', { discovery: without('jwks_uri') }, 'provider-unusable'],
    [
      'has a token endpoint that is no URL',
      { discovery: (all: object) => ({ ...all, token_endpoint: '/token' }) },
      'provider-unusable',
    ],
    [
      'sends browsers to a script',
      { discovery: (all: object) => ({ ...all, authorization_endpoint: 'javascript:alert(1)' }) },
      'provider-unusable',
    ],
  ] as const)('that %s refuses both ways', async (_name, behaviour, refused) => {
    const { connection } = await world({ behaviour });
    expect(await start(connection)).toMatchObject({ refused, detail: expect.any(String) as string });
    const attempt = newAttempt();
    const callbackUrl = new URL(`http://curfew.test/cb?code=x&state=${attempt.state}`);
    expect(await connection.provider.finish({ callbackUrl, attempt, now: new Date() })).toMatchObject({ refused });
  });

  test('that does not answer is given five seconds, and no more', async () => {
    const { clock, upstream, connection } = await world({ behaviour: { down: { discovery: 'hangs' } } });
    const refusal = {
      refused: 'provider-unreachable',
      detail: expect.stringMatching(/^127\.0\.0\.1:\d+: no answer within 5 s$/) as string,
    };
    expect(await outwait(upstream, clock, { path: DISCOVERY, ask: () => start(connection) })).toEqual(refusal);
    const attempt = newAttempt();
    const callbackUrl = new URL(`http://curfew.test/cb?code=x&state=${attempt.state}`);
    const ask = () => connection.provider.finish({ callbackUrl, attempt, now: new Date() });
    expect(await outwait(upstream, clock, { path: DISCOVERY, ask })).toEqual(refusal);
  });
});
