// A race has two right outcomes, and what they share is looked at below.
// oxlint-disable vitest/no-conditional-expect
/**
 * Races that are run in several processes at once: the database decides them, and it decides each once. Where the moment
 * matters, one process is held at each command that its request sends to the database, while another one answers the
 * sign-out.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { expectWorthless } from '../races/race.ts';
import type { Browser } from '../support/browser.ts';
import type { Answer, Client } from '../support/client.ts';
import type { Person } from '../support/world.ts';
import { type Cluster, cluster } from './cluster.ts';
import { type Command, type GatedLine, openGatedLine } from './gated-line.ts';

const PROCESSES = 4;
const FIFTY = Array.from({ length: 50 }, (_, at) => at);
const REFUSED = { status: 400, body: { error: 'invalid_grant' } };
const HELD = 0;
const OTHER = 1;

let house: Cluster<GatedLine>;
beforeAll(async () => {
  house = await cluster({ processes: PROCESSES, line: openGatedLine });
});
afterAll(() => house.stop());

describe('fifty at once, at four processes: one is served', () => {
  /** Holds all of them right before the database decides, then lets them go. Resolves to what the winner got. */
  const race = async (ask: () => Promise<Answer>): Promise<{ access_token: string; refresh_token: string }> => {
    const gates = house.lines.flatMap((line) => FIFTY.map(() => line.hold(consumes)));
    let arrived = 0;
    for (const { reached } of gates) void reached.then(() => (arrived += 1));
    const since = house.front.passedOn.length;
    const asking = Promise.all(FIFTY.map(ask));
    await expect.poll(() => arrived, { timeout: 4000, interval: 5 }).toBe(FIFTY.length);
    for (const gate of gates) gate.open();
    const answers = await asking;

    const asked = Map.groupBy(house.front.passedOn.slice(since), ({ process }) => process);
    expect([...asked.values()].map((each) => each.length).toSorted()).toEqual([12, 12, 13, 13]);
    const won = answers.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    for (const lost of answers.filter(({ status }) => status !== 200)) expect(lost).toMatchObject(REFUSED);
    return won[0]?.body as { access_token: string; refresh_token: string };
  };

  test('redemptions of one code', async () => {
    const player = house.client('player');
    const { code, verifier } = await player.obtainCode(await house.person('alice'));
    await race(() => player.exchange(code, verifier));
  });

  test('uses of one refresh token; and what the winner got works', async () => {
    const player = house.client('player');
    const { refresh_token } = await player.signIn(await house.person('alice'));
    const won = await race(() => player.post('/token', { grant_type: 'refresh_token', refresh_token }));
    expect((await player.userinfo(won)).status).toBe(200);
    expect(await player.refresh(won)).toHaveProperty('access_token');
  });

  test('polls with one approved device code', async () => {
    const tv = house.client('tv');
    const { device_code, user_code } = await tv.startDevice();
    await tv.approveDevice(await house.person('alice'), user_code);
    await race(() => tv.pollDevice(device_code));
  });
});

test('eight sign-outs of one account at four processes: each has its receipt, and the app is told', async () => {
  const person = await house.person('alice');
  await house.client('player').signIn(person);
  const browsers = await Promise.all(
    FIFTY.slice(0, 8).map(async () => {
      const browser = await person.signIn(person.anotherBrowser());
      await browser.open('/account/security');
      return browser;
    }),
  );
  await Promise.all(browsers.map((browser) => browser.press('Sign out of all devices')));
  // Whoever comes after the first has been signed out by it.
  const receipts = browsers.filter(({ heading }) => heading === 'Access has ended').map(({ path }) => path);
  expect(receipts.length).toBeGreaterThan(0);
  expect(new Set(receipts).size).toBe(receipts.length);
  const signOuts = await house.core.store.revocations.listSignOuts(20);
  const epochs = signOuts.flatMap(({ scope, epochBefore }) =>
    scope.kind === 'account' && scope.accountId === person.id ? [epochBefore] : [],
  );
  expect(epochs.toSorted((a, b) => a - b)).toEqual(receipts.map((_path, at) => at));
  await house.settled();
  // Two that are spread at the same time may both tell it.
  const told = house.ears.heard.filter(({ claims }) => claims['sub'] === person.id).length;
  expect([told >= 1, told <= receipts.length]).toEqual([true, true]);
});

describe('a request held at each of its steps, while another process answers a sign-out: nothing of it survives', () => {
  test('a refresh', async () => {
    const phone = house.client('phone');
    await tokenRace(phone, async (person, browser) => {
      const { refresh_token } = await phone.signIn(person, browser);
      return () => phone.post('/token', { grant_type: 'refresh_token', refresh_token });
    });
  });

  test('the exchange of a code', async () => {
    const phone = house.client('phone');
    await tokenRace(phone, async (person, browser) => {
      const { code, verifier } = await phone.obtainCode(person, browser);
      return () => phone.exchange(code, verifier);
    });
  });

  test('a poll with an approved device code', async () => {
    const tv = house.client('tv');
    await tokenRace(tv, async (person, browser) => {
      const { device_code, user_code } = await tv.startDevice();
      await tv.approveDevice(person, user_code, browser);
      return () => tv.pollDevice(device_code);
    });
  });

  test('a sign-in: one that had looked at the account is dead, one that had not is whole; nothing lies between', async () => {
    const phone = house.client('phone');
    const lives: boolean[] = [];
    const steps = await atEveryCommand(async (hold) => {
      const { person, owner } = await somebody();
      const browser = person.anotherBrowser();
      const { url, verifier } = phone.authorization();
      await browser.open(url);
      const held = await hold(() => browser.press('Sign in', { username: person.username, password: person.password }));
      await pressAt(OTHER, owner);
      await held.goOn();
      expect(browser.page.status).toBeLessThan(500);
      const code = browser.left?.searchParams.get('code');
      const answer = code ? await phone.exchange(code, verifier) : undefined;
      const hadLooked = held.passed.some((command) => looksAt(command, `account:${person.id}`));
      if (held.at === undefined) expect(hadLooked).toBe(true);
      lives.push(!hadLooked);
      if (hadLooked) {
        if (answer !== undefined) expect(answer).toMatchObject(REFUSED);
        await everywhere(async () => {
          await browser.open(phone.authorization({ prompt: 'none' }).url);
          expect(browser.left?.searchParams.get('error')).toBe('login_required');
        });
      } else {
        expect(answer?.status).toBe(200);
        await everywhere(async () => {
          expect((await phone.userinfo(answer?.body as never)).status).toBe(200);
        });
      }
      return held.at;
    });
    expect(steps).toBeGreaterThan(10);
    expect(new Set(lives)).toEqual(new Set([true, false]));
  });

  async function tokenRace(
    client: Client,
    prepare: (person: Person, browser: Browser) => Promise<() => Promise<Answer>>,
  ): Promise<void> {
    const steps = await atEveryCommand(async (hold) => {
      const { person, owner } = await somebody();
      const request = await prepare(person, person.browser());
      const held = await hold(request);
      await pressAt(OTHER, owner);
      const answer = await held.goOn();
      if (held.at !== undefined) expect(answer, JSON.stringify(held.at)).toMatchObject(REFUSED);
      await everywhere(() => expectWorthless(client, answer.body));
      expect(await request()).toMatchObject(REFUSED);
      return held.at;
    });
    expect(steps).toBeGreaterThan(4);
  }
});

/** Somebody, and a browser of theirs in which the button can be pressed. */
async function somebody(): Promise<{ person: Person; owner: Browser }> {
  const person = await house.person('alice');
  const owner = await person.signIn(person.anotherBrowser());
  await owner.open('/account/security');
  return { person, owner };
}

async function pressAt(process: number, browser: Browser): Promise<void> {
  await house.front.only(process, () => browser.press('Sign out of all devices'));
  expect(browser.heading).toBe('Access has ended');
}

async function everywhere(work: () => Promise<unknown>): Promise<void> {
  for (const process of house.processes.keys()) await house.front.only(process, work);
}

type HeldRequest<Result> = {
  /** The command it is held at; undefined when it has been answered. */
  readonly at: Command | undefined;
  /** What it had sent by then. */
  readonly passed: readonly Command[];
  goOn(): Promise<Result>;
};
type Hold = <Result>(request: () => Promise<Result>) => Promise<HeldRequest<Result>>;

/** Runs a race once for each command that the request sends, and once after its answer. Resolves to how many there were. */
async function atEveryCommand(race: (hold: Hold) => Promise<Command | undefined>): Promise<number> {
  for (let position = 0; ; position++) {
    const at = await race(async (request) => {
      const [line] = house.lines;
      if (line === undefined) throw new Error('there is no line');
      const passed: Command[] = [];
      const gate = line.hold((command) => {
        if (!ofRequests(command)) return false;
        if (passed.length === position) return true;
        passed.push(command);
        return false;
      });
      let answering: ReturnType<typeof request> | undefined;
      const at = await house.front.only(HELD, () => {
        answering = request();
        return Promise.race([gate.reached, answering.then(() => undefined)]);
      });
      return {
        at,
        passed: [...passed],
        goOn() {
          gate.open();
          if (answering === undefined) throw new Error('nothing was asked');
          return answering;
        },
      };
    });
    if (at === undefined) return position;
  }
}

/** What a process asks by itself, every second, is not what its requests ask. */
function ofRequests({ name, collection, body }: Command): boolean {
  if (!['find', 'findAndModify', 'update', 'insert', 'delete', 'aggregate'].includes(name)) return false;
  if (['deliveries', 'signing_keys', 'house'].includes(collection)) return false;
  return body['sort']?.['pending.at'] === undefined;
}

/** The compare-and-set by which something is used up. */
function consumes({ name, collection }: Command): boolean {
  return name === 'findAndModify' && collection === 'artifacts';
}

/** Whether this reads how a scope stands. */
function looksAt({ name, collection, body }: Command, key: string): boolean {
  const keys: unknown = body['filter']?._id?.$in;
  return name === 'find' && collection === 'scopes' && Array.isArray(keys) && keys.includes(key);
}
