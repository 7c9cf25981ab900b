/**
 * Signing keys of several processes: whatever one of them has signed, every other one publishes the key for at that very
 * instant. Nobody is restarted for a rotation. A key is published a minute before it signs; the test does not wait for it,
 * but moves that instant back in the database: so much time has passed then.
 */
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Tokens } from '../support/client.ts';
import { type Cluster, cluster } from './cluster.ts';
import { type Gate, openGatedLine } from './gated-line.ts';

/** Every process looks for keys every five seconds; the machine may be busy. */
const POLL_AND_PATIENCE_MS = 20_000;
const PUBLISHED_AHEAD_MS = 60_000;
/** An ID Token's. */
const LONGEST_TOKEN_MS = 3_600_000;

let house: Cluster;
beforeAll(async () => {
  house = await cluster({ processes: 3 });
});
afterAll(() => house.stop());

test('processes that start for the first time at once publish the same keys', async () => {
  const gates: Gate[] = [];
  const starting = cluster({
    processes: 4,
    async line(options) {
      const line = await openGatedLine(options);
      gates.push(line.hold(({ name, collection }) => name === 'find' && collection === 'signing_keys', 'after'));
      return line;
    },
  });
  // Each of them has seen that there are no keys.
  await expect.poll(() => gates.length, { timeout: 10_000 }).toBe(4);
  await Promise.race([starting, Promise.all(gates.map(({ reached }) => reached))]);
  for (const gate of gates) gate.open();
  const young = await starting;
  try {
    const [first, ...others] = await published(young);
    expect(first).toHaveLength(3);
    for (const kids of others) expect(kids).toEqual(first);
  } finally {
    await young.stop();
  }
});

test('a rotation by command: at every instant, every token verifies at every process', async () => {
  const watch = await watchTokens();
  const [old] = watch.tokens.map(kidOf);
  const rotating = house.command('keys', 'rotate', '--algorithm', 'ES256', '--yes', '--json');
  const [coming] = ((await rotating).json() as { kid: string; status: string }[]).filter(
    ({ status }) => status === 'next',
  );
  if (coming === undefined || old === undefined) throw new Error('no key is to come');
  await watch.until(async () => (await published(house)).every((kids) => kids.includes(coming.kid)));
  expect(new Set(watch.tokens.map(kidOf))).toEqual(new Set([old]));

  await house.db
    .collection('signing_keys')
    .updateOne({ _id: coming.kid as never }, [
      { $set: { signsFrom: { $subtract: ['$signsFrom', PUBLISHED_AHEAD_MS] } } },
    ]);
  await watch.until(async () => watch.latest().every((token) => kidOf(token) === coming.kid));
  for (const kids of await published(house)) expect(kids).toContain(old);

  // And when the last token of it has expired, nobody publishes it any more.
  const keys = house.db.collection<{ _id: string; retiresAt: Date }>('signing_keys');
  const retired = await keys.findOne({ _id: old });
  expect(retired?.retiresAt.getTime()).toBeGreaterThan(Date.now() + LONGEST_TOKEN_MS - PUBLISHED_AHEAD_MS);
  await keys.updateOne({ _id: old }, { $set: { retiresAt: new Date() } });
  await expect
    .poll(async () => (await published(house)).some((kids) => kids.includes(old)), { timeout: POLL_AND_PATIENCE_MS })
    .toBe(false);
  for (const token of watch.latest()) await verifyEverywhere(token);
});

test('a rotation that is to be immediate reaches every process by its next look, and spoils no token', async () => {
  const watch = await watchTokens({ verifies: 'where it was made' });
  const [old] = watch.tokens.map(kidOf);
  const rotated = await house.command('keys', 'rotate', '--algorithm', 'ES256', '--immediately', '--yes', '--json');
  expect(rotated.code).toBe(0);
  await watch.until(async () => watch.latest().every((token) => kidOf(token) !== old));
  expect(new Set(watch.latest().map(kidOf)).size).toBe(1);
  for (const token of watch.tokens) await verifyEverywhere(token);
});

test('a rotation that takes the present keys back reaches every process by its next look', async () => {
  const before = (await published(house)).flat();
  const rotated = await house.command('keys', 'rotate', '--revoke', '--yes', '--json');
  expect(rotated.code).toBe(0);
  const fresh = (rotated.json() as { kid: string }[]).map(({ kid }) => kid).toSorted();
  expect(fresh).toHaveLength(3);
  expect(before.filter((kid) => fresh.includes(kid))).toEqual([]);
  await expect.poll(() => published(house), { timeout: POLL_AND_PATIENCE_MS }).toEqual([fresh, fresh, fresh]);
  const { id_token: idToken } = await house.client('player').signIn(await house.person('alice'));
  await verifyEverywhere(idToken);
});

/**
 * Has one token after the other made, by each process in turn, and verifies each at once, and the very first one again,
 * with the keys that each process publishes at that moment.
 */
async function watchTokens({ verifies = 'everywhere' }: { verifies?: 'everywhere' | 'where it was made' } = {}) {
  const player = house.client('player');
  let latest: Tokens = await player.signIn(await house.person('alice'));
  const tokens: string[] = [];
  const look = async (): Promise<void> => {
    for (const [at] of house.processes.entries()) {
      const next = await house.front.only(at, () => player.refresh(latest));
      if ('error' in next) throw new Error(`process ${at} refused a refresh: ${next.error}`);
      latest = next;
      tokens.push(next.id_token);
      if (verifies === 'everywhere') await verifyEverywhere(next.id_token);
      else await verifyAt(at, next.id_token);
      await verifyEverywhere(tokens[0] ?? '');
    }
  };
  await look();
  return {
    /** Oldest first. */
    tokens,
    /** One of each process. */
    latest: () => tokens.slice(-house.processes.length),
    /** Looks again and again until this has come true. */
    async until(condition: () => Promise<boolean>): Promise<void> {
      const deadline = performance.now() + POLL_AND_PATIENCE_MS;
      while (!(await condition())) {
        if (performance.now() > deadline) throw new Error('the keys have not come to every process');
        await look();
      }
    },
  };
}

const kidOf = (token: string): string => String(decodeProtectedHeader(token).kid);

async function verifyEverywhere(token: string): Promise<void> {
  await Promise.all(house.processes.map((_process, at) => verifyAt(at, token)));
}

async function verifyAt(process: number, token: string): Promise<void> {
  const keys = await keysOf(house, process);
  await expect(
    jwtVerify(token, createLocalJWKSet(keys), { issuer: house.issuer, audience: 'player' }),
    `process ${process}`,
  ).resolves.toBeDefined();
}

async function keysOf({ processes }: Cluster, process: number): Promise<JSONWebKeySet> {
  return (await (await fetch(`${processes[process]?.url}/jwks`)).json()) as JSONWebKeySet;
}

/** Key ids that each process publishes. */
function published(house: Cluster): Promise<string[][]> {
  return Promise.all(
    house.processes.map(async (_process, at) =>
      (await keysOf(house, at)).keys.map(({ kid }) => String(kid)).toSorted(),
    ),
  );
}
