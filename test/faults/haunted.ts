/**
 * A house that is killed again and again: one data folder, one process after the other, and a ledger of what was promised
 * and what was heard that none of them can touch.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect } from 'vitest';
import { decodeJwt } from 'jose';

import { Browser } from '../support/browser.ts';
import { type Client, createClient, type ClientSetup, type Tokens } from '../support/client.ts';
import { type StoreUnderTest, storeUnderTest } from '../support/store-under-test.ts';
import { createPerson, freePort, type Person } from '../support/world.ts';
import { type Ledger, openLedger } from './ledger.ts';
import type { Gate } from './victim.ts';
import { loadVictim, type Victim } from './victims.ts';

/** Longer than any lease: what the dead held is free when the next one starts. */
const LONGER_THAN_A_LEASE_SECONDS = 61;
const PATIENCE_MS = 60_000;

/** One device's sign-in at one Client, as the test remembers it. */
export type SignedIn = { readonly client: Client; readonly tokens: Tokens; readonly sid: string | undefined };

/** A person, and everything that was ever issued to them before their one Sign-out. */
export type Resident = {
  readonly person: Person;
  readonly signedIn: SignedIn[];
  /** Browsers of their own, kept as they were. */
  readonly browsers: Browser[];
  /** What came after the Sign-out, and must outlive it. */
  readonly since: SignedIn[];
  newPassword?: string;
};

type Life = {
  readonly gate?: Gate;
  readonly quiet?: boolean;
  /** Begins when every lease of the dead is over. */
  readonly afterLeases?: boolean;
};

export type Haunted = {
  readonly issuer: string;
  readonly file: string;
  readonly database: StoreUnderTest;
  readonly ledger: Ledger;
  readonly player: Client;
  readonly theatre: Client;
  readonly library: Client;
  readonly kills: Map<string, number>;
  /** Milliseconds from being told to start to serving, of each life. */
  readonly starts: number[];
  victim(): Victim;
  /** The next life. The last one must have ended. */
  start(options?: Life): Promise<Victim>;
  /** The next life, killed that soon after it was told to start. */
  startToBeKilled(milliseconds: number): Promise<void>;
  /** Waits for the present life to end, by SIGKILL; counts it. */
  death(kind: string): Promise<void>;
  /** A new person, signed in at two apps in one browser; and at one of them in a second browser, if they have two. */
  resident(options?: { browsers: 1 | 2 }): Promise<Resident>;
  /** Presses the button, or changes the password; resolves to whether it was answered. */
  signOut(resident: Resident, how: 'button' | 'password'): Promise<'answered' | 'cut'>;
  /** Until nothing is owed any more. */
  settle(): Promise<void>;
};

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

const SECRET = 'a secret that only its client knows, 0123456789';

export async function haunted({
  secondsBetweenLives = LONGER_THAN_A_LEASE_SECONDS,
  boundable = false,
  configuration = {},
}: {
  readonly secondsBetweenLives?: number;
  readonly boundable?: boolean;
  readonly configuration?: Record<string, unknown>;
} = {}): Promise<Haunted> {
  const folder = mkdtempSync(join(tmpdir(), 'curfew-haunted-'));
  const ledger = await openLedger();
  const port = await freePort();
  const issuer = `http://localhost:${port}`;
  const file = join(folder, 'curfew.yaml');
  const database = await storeUnderTest(folder);
  const setups = clientSetups(ledger.url);
  writeFileSync(
    file,
    JSON.stringify({
      issuer,
      listen: { host: '127.0.0.1', port },
      ...database.configuration,
      keyringFile: './secrets/keyring.json',
      outbound: { allow: ['127.0.0.1/32'] },
      throttle: { addressAttemptsPerMinute: 100_000 },
      clients: setups,
      ...configuration,
    }),
  );
  const [player, theatre, library] = setups.map((setup) => createClient(issuer, setup)) as [Client, Client, Client];
  const kills = new Map<string, number>();
  const starts: number[] = [];
  let secondsAhead = 0;
  let next = loadVictim({ boundable });
  let victim: Victim | undefined;
  let nth = 0;

  open.push(async () => {
    for (const each of [victim, next]) each?.kill();
    await Promise.all([victim?.ended, next.ended]);
    await ledger.close();
    // What the last death left behind is whole.
    await database.check();
    await database.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  const nextLife = ({ gate, quiet = false, afterLeases = false }: Life): Promise<{ milliseconds: number }> => {
    victim = next;
    next = loadVictim({ boundable });
    secondsAhead += afterLeases ? LONGER_THAN_A_LEASE_SECONDS : secondsBetweenLives;
    return victim.ask('start', { file, secondsAhead, gate: gate ?? null, quiet });
  };
  const house: Haunted = {
    issuer,
    file,
    database,
    ledger,
    player,
    theatre,
    library,
    kills,
    starts,
    victim() {
      if (victim === undefined) throw new Error('nobody lives here');
      return victim;
    },
    async start(life = {}) {
      const starting = nextLife(life);
      if (life.gate === undefined) starts.push((await starting).milliseconds);
      // With a gate it may be dead before it could say that it had started.
      else await starting.catch(() => {});
      return house.victim();
    },
    async startToBeKilled(milliseconds) {
      const starting = nextLife({});
      const { kill } = house.victim();
      setTimeout(kill, milliseconds);
      await starting.catch(() => {});
    },
    async death(kind) {
      const signal = await inTime(`a death ${kind}`, house.victim().ended);
      if (signal !== 'SIGKILL') throw new Error(`it ended by ${signal}: ${house.victim().complaints()}`);
      expect(house.victim().complaints()).toBe('');
      kills.set(kind, (kills.get(kind) ?? 0) + 1);
      await ledger.noteKill();
    },
    async resident({ browsers } = { browsers: 1 }) {
      const username = `resident-${nth++}`;
      const named = { username, email: `${username}@example.test`, password: `lantern over a quiet harbour ${nth}` };
      const { id } = await house.victim().ask('createPerson', named);
      const person = createPerson({ issuer, id, ...named });
      const [first, second] = [person.browser(), person.anotherBrowser()];
      const signedIn = [];
      for (const client of [player, theatre]) signedIn.push(await signInAt(client, person, first));
      if (browsers === 1) return { person, signedIn, browsers: [copyOf(first)], since: [] };
      signedIn.push(await signInAt(player, person, second));
      return { person, signedIn, browsers: [first, second].map(copyOf), since: [] };
    },
    async signOut(resident, how) {
      const { person } = resident;
      const browser = person.browser();
      await browser.open('/account/security');
      const pressed =
        how === 'button'
          ? browser.press('Sign out of all devices')
          : browser.press('Change password', {
              currentPassword: person.password,
              password: (resident.newPassword = `${person.password}, and another lantern`),
            });
      return pressed.then(
        () => 'answered' as const,
        () => 'cut' as const,
      );
    },
    async settle() {
      const deadline = performance.now() + PATIENCE_MS;
      for (;;) {
        const { pending, dead } = await house.victim().ask('settle', {});
        expect(dead).toBe(0);
        if (pending === 0) return;
        if (performance.now() > deadline) throw new Error(`${pending} deliveries stay pending`);
      }
    },
  };
  return house;
}

/** Signs in at a Client and remembers it. */
export async function signInAt(client: Client, person: Person, browser: Browser): Promise<SignedIn> {
  const tokens = await client.signIn(person, browser);
  return { client, tokens, sid: decodeJwt<{ sid?: string }>(tokens.id_token).sid };
}

/** Nothing that was issued before the Sign-out opens anything. */
export async function expectDead({ library }: Haunted, { signedIn, browsers }: Resident): Promise<void> {
  const answers = await Promise.all(
    signedIn.map(async ({ client, tokens }) => [
      await library.introspect(tokens.access_token),
      await library.introspect(tokens.refresh_token),
      await client.refresh(tokens),
      (await client.userinfo(tokens)).status,
    ]),
  );
  for (const answer of answers) {
    expect(answer).toEqual([{ active: false }, { active: false }, { error: 'invalid_grant' }, 401]);
  }
  expect(await Promise.all(browsers.map(accountPage))).toEqual(browsers.map(() => '/sign-in'));
}

/** Everything issued still works; nothing is used up by asking. */
export async function expectAlive({ library }: Haunted, { signedIn, browsers }: Resident): Promise<void> {
  const answers = await Promise.all(signedIn.map(({ tokens }) => library.introspect(tokens.refresh_token)));
  expect(answers.map(({ active }) => active)).toEqual(signedIn.map(() => true));
  expect(await Promise.all(browsers.map(accountPage))).toEqual(browsers.map(() => '/account'));
}

/** Where somebody with this browser's cookies gets who asks for the account. */
async function accountPage(browser: Browser): Promise<string> {
  const thief = copyOf(browser);
  await thief.open('/account');
  return new URL(thief.page.url).pathname;
}

/** Every Client that had a Client Session of this resident was told, and nobody was told of what came after. */
export function expectTold({ ledger, player, theatre }: Haunted, { person, signedIn, since }: Resident): void {
  const told = ledger.entries.filter(({ claims }) => claims.sub === person.id);
  for (const { client, sid } of signedIn) {
    if (client === player)
      expect(told.filter((entry) => entry.claims.sid === sid).length, `${person.username} at player`).toBeGreaterThan(
        0,
      );
    if (client === theatre)
      expect(
        told.filter((entry) => entry.client === 'theatre').length,
        `${person.username} at theatre`,
      ).toBeGreaterThan(0);
  }
  for (const { sid } of since) expect(told.some((entry) => entry.claims.sid === sid)).toBe(false);
}

/** A repeated post needs a death between the two, and each has a token of its own. */
export function expectFewExtraPosts({ ledger }: Haunted): { deliveries: number; extra: number } {
  const { entries } = ledger;
  const ids = entries.map(({ claims }) => claims.jti);
  expect(ids.every((jti) => typeof jti === 'string' && jti.length > 15)).toBe(true);
  expect(new Set(ids).size).toBe(entries.length);
  const deliveries = Map.groupBy(entries, ({ client, claims }) => [client, claims.sub, claims.sid].join(' '));
  for (const [delivery, posts] of deliveries) {
    const lives = posts.map(({ kills }) => kills);
    expect(new Set(lives).size, `${delivery} was posted in the lives ${lives.join(', ')}`).toBe(posts.length);
  }
  return { deliveries: deliveries.size, extra: entries.length - deliveries.size };
}

/** A browser with the same cookies, so that what is done with them does not show in the first. */
export function copyOf(browser: Browser): Browser {
  const copy = new Browser(browser.origin, browser.userAgent);
  for (const [name, cookie] of browser.cookies) copy.cookies.set(name, cookie);
  return copy;
}

async function inTime<Result>(what: string, wanted: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`still waiting for ${what}`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([wanted, late]);
  } finally {
    clearTimeout(timer);
  }
}

function clientSetups(ledgerUrl: string): ClientSetup[] {
  const code = {
    first_party: true,
    response_types: ['code'],
    grant_types: ['authorization_code', 'refresh_token'],
  };
  return [
    {
      client_id: 'player',
      client_secret: SECRET,
      ...code,
      redirect_uris: ['http://player.test/callback'],
      backchannel_logout_uri: `${ledgerUrl}/player`,
      backchannel_logout_session_required: true,
    },
    {
      client_id: 'theatre',
      client_secret: SECRET,
      ...code,
      redirect_uris: ['http://theatre.test/callback'],
      backchannel_logout_uri: `${ledgerUrl}/theatre`,
    },
    {
      client_id: 'library',
      client_secret: SECRET,
      first_party: true,
      introspects: 'all',
      redirect_uris: [],
      response_types: [],
      grant_types: ['client_credentials'],
    },
  ];
}
