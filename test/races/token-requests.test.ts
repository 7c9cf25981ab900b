// A race has two right outcomes, and what they share is looked at in race.ts and gates.ts.
// oxlint-disable vitest/no-conditional-expect, vitest/expect-expect
/**
 * Token requests against sign-outs: the request is held at each call it makes to the store, the sign-out returns, and
 * then the request goes on. The clock stands still, so that no comparison of times can help.
 */
import { expect, test, vi } from 'vitest';

import type { Answer, Client, Tokens } from '../support/client.ts';
import { atEveryStep, createGates, type Gates } from '../support/gates.ts';
import { type Person, type World, world, type WorldOptions } from '../support/world.ts';
import { end, expectRefused, expectWelcome, expectWorthless, REFUSED, type Scope, somebody } from './race.ts';

const TUNER = 'https://tuner.test/api';
const RESOURCES = {
  scopes: { 'tuner:play': 'Play what is on.' },
  resources: [{ identifier: TUNER, scopes: ['tuner:play'], accessTokenFormat: 'jwt' }],
};
const SCOPES: readonly Scope[] = ['account', 'client', 'everyone', 'device'];

type Begun = {
  readonly person: Person;
  readonly had: Record<string, unknown>;
  readonly request: () => Promise<Answer>;
};

// One test is a few dozen races; a machine may be busy.
vi.setConfig({ testTimeout: 120_000 });

async function gated(options: WorldOptions = {}): Promise<{ house: World; gates: Gates }> {
  const gates = createGates();
  return { gates, house: await world({ ...options, fakeTime: true, seams: { wrapStore: gates.wrapStore } }) };
}

/** The race itself: whatever the request was, and wherever it was held, nothing of it works. */
async function nothingSurvives(
  { house, gates }: { house: World; gates: Gates },
  scope: Scope,
  client: Client,
  begin: () => Promise<Begun>,
): Promise<void> {
  const steps = await atEveryStep<Begun, Answer>(gates, {
    prepare: begin,
    request: ({ request }) => request(),
    meanwhile: ({ person }) => end(house, scope, person, client),
    async afterwards({ person, had, request }, answer, { held, last }) {
      await expectRefused(client, answer, { late: held === undefined || last });
      await expectWorthless(client, had);
      expect(await request()).toMatchObject(REFUSED);
      if (client.id === 'tv') await client.connectDevice(person, person.anotherBrowser());
      else await expectWelcome(client, person);
    },
  });
  expect(steps).toBeGreaterThan(4);
}

test.for(SCOPES)('a refresh against a sign-out of scope %s', async (scope) => {
  const gatedHouse = await gated();
  const { player } = gatedHouse.house;
  await nothingSurvives(gatedHouse, scope, player, async () => {
    const person = await somebody(gatedHouse.house);
    const had: Tokens = await player.signIn(person);
    return {
      person,
      had,
      request: () => player.post('/token', { grant_type: 'refresh_token', refresh_token: had.refresh_token }),
    };
  });
});

test.for(SCOPES)('the exchange of a code against a sign-out of scope %s', async (scope) => {
  const gatedHouse = await gated();
  const { player } = gatedHouse.house;
  await nothingSurvives(gatedHouse, scope, player, async () => {
    const person = await somebody(gatedHouse.house);
    const { code, verifier } = await player.obtainCode(person);
    return { person, had: {}, request: () => player.exchange(code, verifier) };
  });
});

test('the exchange of a code that is bound to the browser against a sign-out of that browser', async () => {
  const gatedHouse = await gated();
  const { player } = gatedHouse.house;
  await nothingSurvives(gatedHouse, 'browser', player, async () => {
    const person = await somebody(gatedHouse.house);
    const { code, verifier } = await player.obtainCode(person, person.browser(), { scope: 'openid' });
    return { person, had: {}, request: () => player.exchange(code, verifier) };
  });
});

test.for(SCOPES)('the exchange of a device code against a sign-out of scope %s', async (scope) => {
  const gatedHouse = await gated();
  const { tv } = gatedHouse.house;
  await nothingSurvives(gatedHouse, scope, tv, async () => {
    const person = await somebody(gatedHouse.house);
    const { device_code, user_code } = await tv.startDevice();
    await tv.approveDevice(person, user_code);
    return { person, had: {}, request: () => tv.pollDevice(device_code) };
  });
});

test.for(SCOPES)('a refresh for a self-contained token against a sign-out of scope %s', async (scope) => {
  const { house, gates } = await gated({ configuration: RESOURCES });
  const { player, library } = house;
  type Holding = { person: Person; tokens: Tokens };
  const steps = await atEveryStep<Holding, Answer>(gates, {
    async prepare() {
      const person = await somebody(house);
      const parameters = { resource: TUNER, scope: 'openid offline_access tuner:play' };
      return { person, tokens: await player.signIn(person, person.browser(), parameters) };
    },
    request: ({ tokens: { refresh_token } }) =>
      player.post('/token', { grant_type: 'refresh_token', refresh_token, resource: TUNER }),
    meanwhile: ({ person }) => end(house, scope, person, player),
    async afterwards(_holding, answer, { held, last }) {
      // What verifies itself must not leave once the sign-out has returned.
      if (held !== undefined && !last) expect(answer).toMatchObject(REFUSED);
      const token = answer.body['access_token'];
      if (typeof token !== 'string') return;
      expect(token.split('.')).toHaveLength(3);
      expect(await library.introspect(token)).toEqual({ active: false });
    },
  });
  expect(steps).toBeGreaterThan(4);
});

test('a refresh in the browser that is spared goes through, wherever it is held', async () => {
  const { house, gates } = await gated();
  const { player, core } = house;
  type Holding = { person: Person; tokens: Tokens; sessionUid: string };
  await atEveryStep<Holding, Answer>(gates, {
    async prepare() {
      const person = await somebody(house);
      const tokens = await player.signIn(person);
      const [session] = await core.store.revocations.clientSessionsOf(person.id);
      return { person, tokens, sessionUid: session?.sessionUid ?? '' };
    },
    request: ({ tokens: { refresh_token } }) => player.post('/token', { grant_type: 'refresh_token', refresh_token }),
    meanwhile: ({ person, sessionUid }) =>
      core.signOuts.signOut({
        scope: { kind: 'account-except', accountId: person.id, sessionUid },
        reason: 'race',
        actor: { kind: 'account', accountId: person.id },
      }),
    async afterwards(_holding, answer) {
      expect(answer.status).toBe(200);
      const renewed = await player.refresh({ refresh_token: String(answer.body['refresh_token']) });
      if ('error' in renewed) throw new Error(`what was spared is dead: ${renewed.error}`);
      expect((await player.userinfo(renewed)).status).toBe(200);
    },
  });
});
