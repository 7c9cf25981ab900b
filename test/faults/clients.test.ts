/**
 * A hundred Clients, thirty of them ill in every way there is: the healthy hear at once, the ill are tried as the retry
 * table says, nobody is forgotten, and giving up is visible and can be taken back.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';

import { systemClock } from '../../src/platform/clock.ts';
import type { DeliveryRecord } from '../../src/store/records.ts';
import type { ClientSetup } from '../support/client.ts';
import { type World, world } from '../support/world.ts';
import { admit, babble, type Illness, type Patient, RETRY_AFTER_SECONDS } from './ward.ts';

const CLIENTS = 100;
const ILL = 30;
const TOLD_WITHIN_MS = 5000;
const DEADLINE_HOURS = 72;

/** What the retry table makes of each illness after the first attempt. */
const COURSES: Record<Exclude<Illness, 'none'>, { outcome: RegExp; fate: 'delivered' | 'retried' | 'refused' }> = {
  'answers 500': { outcome: /^answered 500$/, fate: 'retried' },
  'answers 429': { outcome: /^answered 429$/, fate: 'retried' },
  'answers 400': { outcome: /^answered 400$/, fate: 'refused' },
  redirects: { outcome: /^answered 302$/, fate: 'refused' },
  hangs: { outcome: /^timeout$/, fate: 'retried' },
  'never ends': { outcome: /^answered 200$/, fate: 'delivered' },
  'never ends its 500': { outcome: /^answered 500$/, fate: 'retried' },
  'closes the socket': { outcome: /^connection$/, fate: 'retried' },
  'speaks garbage': { outcome: /^connection$/, fate: 'retried' },
  'huge headers': { outcome: /^connection$/, fate: 'retried' },
  'refuses connections': { outcome: /^connection$/, fate: 'retried' },
};
const ILLNESSES = Object.keys(COURSES) as (keyof typeof COURSES)[];

test('thirty ill clients of a hundred starve nobody, in turn', { timeout: 120_000 }, async () => {
  const { place, patients, elsewhere, clock } = await hospital();
  const ids = patients.map((_, at) => `app-${at}`);
  const { alice } = place;
  const { store, deliveries } = place.core;
  for (const turn of [0, 1]) {
    const illnessOf = (at: number): Illness =>
      (at + turn * ILL) % CLIENTS < ILL ? (ILLNESSES[at % ILLNESSES.length] ?? 'hangs') : 'none';
    for (const [at, patient] of patients.entries()) await patient.catch(illnessOf(at));
    const before = patients.map(({ told }) => told.length);
    const browser = await signInEverywhere(place, ids);

    await browser.open('/account/security');
    const pressed = performance.now();
    await browser.press('Sign out of all devices');
    const signOutId = browser.path.slice('/sign-outs/'.length);
    const healthy = patients.filter((_, at) => illnessOf(at) === 'none');
    const toldIn = (patient: Patient): number => (patient.told.at(-1)?.at ?? Infinity) - pressed;
    await until('every healthy client was told', () =>
      patients.every(({ told }, at) => illnessOf(at) !== 'none' || told.length > (before[at] ?? 0)),
    );
    const slowest = Math.max(...healthy.map(toldIn));
    expect(healthy).toHaveLength(CLIENTS - ILL);
    expect(slowest).toBeLessThan(TOLD_WITHIN_MS);

    const owed = () => store.deliveries.list({ signOutId, page: { limit: 1000 } });
    await until('every ill client was tried', async () => (await owed()).every(({ attempts }) => attempts > 0));
    const byClient = new Map((await owed()).map((delivery) => [delivery.clientId, delivery]));
    expect(byClient.size).toBe(CLIENTS);
    expect(ids.flatMap((id, at) => faultsOf(byClient.get(id), illnessOf(at)))).toEqual([]);
    process.stdout.write(`${JSON.stringify({ turn, healthy: healthy.length, slowestMs: Math.round(slowest) })}\n`);

    // Past the deadline what never answered is given up, and that is seen too.
    const expectGivenUp = async (): Promise<void> => {
      clock.skip(DEADLINE_HOURS * 3600 + 1);
      deliveries.wake();
      await until('nothing is pending', async () => (await store.deliveries.counts({ signOutId })).pending === 0);
      const given = new Map((await owed()).map(({ clientId, status }) => [clientId, status]));
      const fates = { delivered: 'delivered', retried: 'abandoned', refused: 'rejected' } as const;
      expect(ids.map((id) => given.get(id))).toEqual(ids.map((_, at) => fates[fateOf(illnessOf(at))]));
      // Three days later the receipt is for its owner.
      await alice.signIn(browser);
      await browser.open(`/sign-outs/${signOutId}`);
      expect(browser.page.text).toContain('Could not be reached');
    };

    // Three refusals are enough: dead letters, seen on the receipt.
    const refused = (status: DeliveryRecord['status']) => async () =>
      (await owed()).filter(
        (delivery) => delivery.status === status && fateOf(illnessOf(numberOf(delivery))) === 'refused',
      );
    const unwilling = ids.filter((_, at) => fateOf(illnessOf(at)) === 'refused').length;
    await until('refusals are final', async () => (await refused('rejected')()).length === unwilling);
    for (const delivery of await refused('rejected')())
      expect(delivery).toMatchObject({ attempts: 3, refusals: 3, nextAttemptAt: null });
    await browser.open(`/sign-outs/${signOutId}`);
    expect(browser.page.text).toContain('Told, and refused to listen');
    expect(elsewhere.posts).toBe(0);

    if (turn === 0) await expectGivenUp();

    // Everybody gets well; an operator asks for the dead letters to be tried again, and the others' time comes.
    for (const patient of patients) await patient.catch('none');
    clock.skip(3600);
    const now = clock.now();
    const revived = await store.deliveries.revive({ now, deadlineAt: new Date(now.getTime() + 3_600_000) });
    const dead = turn === 0 ? ['retried', 'refused'] : ['refused'];
    expect(revived).toBe(ids.filter((_, at) => dead.includes(fateOf(illnessOf(at)))).length);
    deliveries.wake();
    await until('everybody was told', async () => (await store.deliveries.counts({ signOutId })).delivered === CLIENTS);
  }
  const tokens = patients.flatMap(({ told }) => told.map(({ jti }) => jti));
  expect(new Set(tokens).size).toBe(tokens.length);
});

test('what cannot be called is refused and shown; what speaks no TLS is tried again', { timeout: 30_000 }, async () => {
  const nonsense = await babble();
  onTestFinished(() => nonsense.close());
  const heard: Patient = await admit('http://127.0.0.1:9/');
  onTestFinished(() => heard.close());
  const addresses: Record<string, string> = {
    // A port that really listens, by an address that nobody opened: 127.0.0.2 is loopback, and not 127.0.0.1.
    'other-loopback': heard.url.replace('127.0.0.1', '127.0.0.2'),
    metadata: 'http://169.254.169.254/latest/meta-data',
    'private-network': 'http://10.20.30.40/logout',
    'unique-local': 'http://[fd00::1]/logout',
    'no-tls': nonsense.url,
    reachable: heard.url,
  };
  const clients = Object.entries(addresses).map(([id, uri]) => clientSetup(id, uri));
  const place = await world({ clients, configuration: { outbound: { allow: ['127.0.0.1/32'] } } });
  const ids = Object.keys(addresses);
  const browser = await signInEverywhere(place, ids);
  await browser.open('/account/security');
  await browser.press('Sign out of all devices');
  const signOutId = browser.path.slice('/sign-outs/'.length);
  const outcomes = async () => {
    const owed = await place.core.store.deliveries.list({ signOutId, page: { limit: 100 } });
    return Object.fromEntries(owed.map(({ clientId, status, lastOutcome }) => [clientId, `${status}: ${lastOutcome}`]));
  };
  const expected = {
    'other-loopback': 'rejected: refused-address',
    metadata: 'rejected: refused-address',
    'private-network': 'rejected: refused-address',
    'unique-local': 'rejected: refused-address',
    'no-tls': 'pending: tls',
    reachable: 'delivered: answered 200',
  };
  await until(
    'the refusals are final',
    async () => JSON.stringify(sorted(await outcomes())) === JSON.stringify(sorted(expected)),
  ).catch(() => {});
  expect(await outcomes()).toEqual(expected);
  expect(heard.posts).toBe(1);
  await browser.open(`/sign-outs/${signOutId}`);
  expect(
    browser.page.text.match(/refused to listen|Could not be reached|may not be called/g)?.length,
  ).toBeGreaterThanOrEqual(4);
});

/** A world with a hundred Clients, each with an origin of its own, and a clock whose hours can be skipped. */
async function hospital() {
  const elsewhere = await admit('http://127.0.0.1:9/');
  const patients = await Promise.all(Array.from({ length: CLIENTS }, () => admit(elsewhere.url)));
  let skippedMs = 0;
  const clock = {
    ...systemClock,
    now: () => new Date(Date.now() + skippedMs),
    skip: (seconds: number) => void (skippedMs += seconds * 1000),
  };
  const place = await world({
    seams: { clock },
    clients: patients.map(({ url }, at) => clientSetup(`app-${at}`, url)),
    configuration: { delivery: { deadlineHours: DEADLINE_HOURS }, log: { level: 'info' } },
  });
  onTestFinished(async () => {
    // The hanging ones are let go first: a stop waits for posts in flight.
    await Promise.all([...patients, elsewhere].map((patient) => patient.close()));
  });
  return { place, patients, elsewhere, clock };
}

function clientSetup(id: string, uri: string): ClientSetup {
  return {
    client_id: id,
    token_endpoint_auth_method: 'none',
    first_party: true,
    response_types: ['code'],
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: [`http://${id}.test/callback`],
    backchannel_logout_uri: uri,
    ...(Number(id.at(-1)) % 2 === 0 ? { backchannel_logout_session_required: true } : {}),
  };
}

/** One browser, one password, and every app by single sign-on. */
async function signInEverywhere({ alice, client }: World, ids: readonly string[]) {
  const browser = alice.anotherBrowser();
  await alice.signIn(browser);
  for (const id of ids) await client(id).signIn(alice, browser);
  return browser;
}

const fateOf = (illness: Illness) => (illness === 'none' ? 'delivered' : COURSES[illness].fate);
const numberOf = ({ clientId }: DeliveryRecord): number => Number(clientId.slice('app-'.length));

/** What is wrong with a Delivery after its first attempts: its outcome's word, its counts, when it is tried again. */
function faultsOf(delivery: DeliveryRecord | undefined, illness: Illness): string[] {
  if (delivery === undefined) return [`a client that ${illness} was forgotten`];
  const { status, attempts, refusals, lastOutcome, lastAttemptAt, nextAttemptAt } = delivery;
  const { outcome, fate } = illness === 'none' ? { outcome: /^answered 200$/, fate: 'delivered' } : COURSES[illness];
  const wrong = (what: string, right: boolean): string[] => (right ? [] : [`${illness}: ${what}`]);
  const told = wrong(`outcome ${lastOutcome}`, outcome.test(lastOutcome ?? ''));
  if (fate === 'delivered') {
    return [...told, ...wrong(`${status} after ${attempts}`, status === 'delivered' && attempts === 1)];
  }
  const counted = wrong(`${refusals} refusals of ${attempts}`, refusals === (fate === 'refused' ? attempts : 0));
  if (status === 'rejected') return [...told, ...counted, ...wrong('rejected too soon', refusals === 3)];
  const waitSeconds = ((nextAttemptAt?.getTime() ?? 0) - (lastAttemptAt?.getTime() ?? 0)) / 1000;
  const asked = illness === 'answers 429' ? RETRY_AFTER_SECONDS : 0;
  const inTable = waitSeconds >= Math.max(0.25, asked) && waitSeconds <= Math.max(2 ** (attempts - 1), asked);
  return [...told, ...counted, ...wrong(status, status === 'pending'), ...wrong(`waits ${waitSeconds} s`, inTable)];
}

async function until(what: string, ask: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await ask())) {
    if (performance.now() > deadline) throw new Error(`still waiting until ${what}`);
    await pause(20);
  }
}

function sorted(of: Record<string, string>): [string, string][] {
  return Object.entries(of).toSorted(([a], [b]) => a.localeCompare(b));
}
