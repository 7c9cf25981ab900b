/**
 * Everything that lets somebody in, one of each kind, and the question whether it still does. A question uses nothing up
 * where the answer is no, so that every process can be asked the same ones.
 */
import { expect } from 'vitest';

import type { Browser } from '../support/browser.ts';
import type { Tokens } from '../support/client.ts';
import type { Person } from '../support/world.ts';
import { type Cluster, copyOf } from './cluster.ts';

export type Holdings = {
  readonly person: Person;
  /** Signed in. */
  readonly browser: Browser;
  readonly player: Tokens;
  readonly phone: Tokens;
  readonly tv: Tokens;
  readonly code: { readonly code: string; readonly verifier: string };
  /** Approved, and not polled since. */
  readonly deviceCode: string;
  /** Signed in, and asked for consent. */
  readonly halfWay: { readonly browser: Browser; readonly verifier: string };
};

/** Signs somebody in everywhere, one device and app after the other. */
export async function holdings(house: Cluster, name: string): Promise<Holdings> {
  const person = await house.person(name);
  const [player, phone, tv, cinema] = ['player', 'phone', 'tv', 'cinema'].map((id) => house.client(id));
  if (!player || !phone || !tv || !cinema) throw new Error('a client is missing');
  const browser = await person.signIn();
  const halfWay = person.anotherBrowser();
  const consent = cinema.authorization();
  await halfWay.open(consent.url);
  await halfWay.press('Sign in', { username: person.username, password: person.password });
  const { device_code: deviceCode, user_code: userCode } = await tv.startDevice();
  const held = {
    person,
    browser,
    player: await player.signIn(person, browser),
    phone: await phone.signIn(person, person.anotherBrowser()),
    tv: await tv.connectDevice(person, browser),
    code: await player.obtainCode(person, person.anotherBrowser()),
    deviceCode,
    halfWay: { browser: halfWay, verifier: consent.verifier },
  };
  await tv.approveDevice(person, userCode, browser);
  expect(halfWay.buttons).toContain('Allow');
  return held;
}

type Verdict = 'accepted' | 'refused';
type Question = (house: Cluster, held: Holdings) => Promise<Verdict>;

const verdict = (answer: unknown, yes: boolean, no: boolean): Verdict => {
  if (yes === no) throw new Error(`neither accepted nor refused: ${JSON.stringify(answer)}`);
  return yes ? 'accepted' : 'refused';
};

const introspected =
  (of: (held: Holdings) => string): Question =>
  async (house, held) => {
    const { active } = await house.client('library').introspect(of(held));
    return verdict(active, active, !active);
  };

const toldByUserinfo =
  (client: string, of: (held: Holdings) => Tokens): Question =>
  async (house, held) => {
    const { status, body } = await house.client(client).userinfo(of(held));
    return verdict([status, body], status === 200 && body['sub'] === held.person.id, status === 401);
  };

/** Of what can be asked again and again. */
export const LASTING = {
  'the session cookie, at a page': async (_house, { browser }) => {
    const thief = copyOf(browser);
    await thief.open('/account');
    const { pathname } = new URL(thief.page.url);
    return verdict(thief.page.url, pathname === '/account', pathname === '/sign-in');
  },
  'the session cookie, at an authorization': async (house, { browser }) => {
    const thief = copyOf(browser);
    await thief.open(house.client('player').authorization({ prompt: 'none' }).url);
    const answer = thief.left?.searchParams;
    return verdict(thief.left?.href, answer?.has('code') === true, answer?.get('error') === 'login_required');
  },
  'an access token, introspected': introspected(({ player }) => player.access_token),
  'an access token, at userinfo': toldByUserinfo('player', ({ player }) => player),
  'a refresh token, introspected': introspected(({ player }) => player.refresh_token),
  "a television's access token": toldByUserinfo('tv', ({ tv }) => tv),
} as const satisfies Record<string, Question>;

const refreshed =
  (client: string, of: (held: Holdings) => Tokens): Question =>
  async (house, held) => {
    const answer = await house.client(client).refresh(of(held));
    return verdict(answer, 'access_token' in answer, 'error' in answer && answer.error === 'invalid_grant');
  };

/** Of what is used up by a yes. */
export const SPENT = {
  'a refresh token': refreshed('player', ({ player }) => player),
  "a public client's refresh token": refreshed('phone', ({ phone }) => phone),
  "a television's refresh token": refreshed('tv', ({ tv }) => tv),
  'an unspent code': async (house, { code: { code, verifier } }) => {
    const { status, body } = await house.client('player').exchange(code, verifier);
    return verdict([status, body], status === 200, status === 400 && body['error'] === 'invalid_grant');
  },
  'an approved device code': async (house, { deviceCode }) => {
    const { status, body } = await house.client('tv').pollDevice(deviceCode);
    return verdict([status, body], status === 200, status === 400 && body['error'] === 'invalid_grant');
  },
  'a consent page': async (house, { halfWay: { browser, verifier } }) => {
    const thief = copyOf(browser);
    await thief.press('Allow');
    const code = thief.left?.searchParams.get('code');
    if (!code) return verdict(thief.page.status, false, thief.page.status < 500);
    const { status } = await house.client('cinema').exchange(code, verifier);
    return verdict(status, status === 200, status === 400);
  },
} as const satisfies Record<string, Question>;

const QUESTIONS: Record<string, Question> = { ...LASTING, ...SPENT };

/** What each process says of each of them, asked past all the others; each process is asked another one first. */
export async function askEveryProcess(
  house: Cluster,
  held: Holdings,
  questions: Record<string, Question> = QUESTIONS,
): Promise<Record<string, Verdict[]>> {
  const names = Object.keys(questions);
  const verdicts: Record<string, Verdict[]> = Object.fromEntries(names.map((name) => [name, []]));
  for (const [at] of house.processes.entries()) {
    const first = (at * Math.ceil(names.length / house.processes.length)) % names.length;
    await house.front.only(at, async () => {
      for (const name of [...names.slice(first), ...names.slice(0, first)]) {
        const question = questions[name];
        if (question !== undefined) verdicts[name]?.push(await question(house, held));
      }
    });
  }
  return verdicts;
}

/** That everywhere. */
export function unanimous(house: Cluster, answer: Verdict, questions: object = QUESTIONS): Record<string, Verdict[]> {
  return Object.fromEntries(Object.keys(questions).map((name) => [name, house.processes.map(() => answer)]));
}

/** What one process, any of them, says of each; nothing is left of what is used up by a yes. */
export async function askOnce(house: Cluster, held: Holdings): Promise<Record<string, Verdict>> {
  const verdicts: Record<string, Verdict> = {};
  for (const [name, question] of Object.entries(QUESTIONS)) verdicts[name] = await question(house, held);
  return verdicts;
}
