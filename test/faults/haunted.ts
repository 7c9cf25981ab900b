/**
 * A house that is killed again and again: one data folder, one process after the other, and a ledger of what was promised
 * and what was heard that none of them can touch.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect } from 'vitest';
import { decodeJwt } from 'jose';

import { Browser } from '../support/browser.ts';
import { type Client, createClient, type ClientSetup, type Tokens } from '../support/client.ts';
import { createPerson, freePort, type Person } from '../support/world.ts';
import { type Ledger, openLedger } from './ledger.ts';
import type { Gate } from './victim.ts';
import { loadVictim, type Victim } from './victims.ts';

/** Longer than any lease: what the dead held is free when the next one starts. */
const BETWEEN_LIVES_SECONDS = 61;
const PATIENCE_MS = 20_000;

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

export type Haunted = {
  readonly issuer: string;
  readonly ledger: Ledger;
  readonly player: Client;
  readonly theatre: Client;
  readonly phone: Client;
  readonly library: Client;
  readonly kills: Map<string, number>;
  /** Milliseconds from being told to start to serving, of each life. */
  readonly starts: number[];
  victim(): Victim;
  /** The next life. The last one must have ended. */
  start(options?: { gate?: Gate | null; quiet?: boolean }): Promise<Victim>;
  /** Waits for the present life to end, by SIGKILL; counts it. */
  death(kind: string): Promise<void>;
  /** A new person, signed in at four apps in two browsers. */
  resident(): Promise<Resident>;
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

export async function haunted(): Promise<Haunted> {
  const folder = mkdtempSync(join(tmpdir(), 'curfew-haunted-'));
  const ledger = await openLedger();
  const port = await freePort();
  const issuer = `http://localhost:${port}`;
  const file = join(folder, 'curfew.yaml');
  const setups = clientSetups(ledger.url);
  writeFileSync(
    file,
    JSON.stringify({
      issuer,
      listen: { host: '127.0.0.1', port },
      store: 'sqlite:./data/curfew.db',
      keyringFile: './secrets/keyring.json',
      outbound: { allow: ['127.0.0.1/32'] },
      throttle: { addressAttemptsPerMinute: 100_000 },
      clients: setups,
    }),
  );
  const [player, theatre, phone, library] = setups.map((setup) => createClient(issuer, setup)) as [
    Client,
    Client,
    Client,
    Client,
  ];
  const kills = new Map<string, number>();
  const starts: number[] = [];
  let lives = 0;
  let next = loadVictim();
  let victim: Victim | undefined;
  let nth = 0;

  open.push(async () => {
    for (const each of [victim, next]) each?.kill();
    await Promise.all([victim?.ended, next.ended]);
    await ledger.close();
    checkDatabase(join(folder, 'data', 'curfew.db'));
    rmSync(folder, { recursive: true, force: true });
  });

  const house: Haunted = {
    issuer,
    ledger,
    player,
    theatre,
    phone,
    library,
    kills,
    starts,
    victim() {
      if (victim === undefined) throw new Error('nobody lives here');
      return victim;
    },
    async start({ gate = null, quiet = false } = {}) {
      victim = next;
      next = loadVictim();
      lives += 1;
      const secondsAhead = lives * BETWEEN_LIVES_SECONDS;
      const starting = victim.ask('start', { file, secondsAhead, gate, quiet });
      if (gate === null) starts.push((await starting).milliseconds);
      // With a gate it may be dead before it could say that it had started.
      else await starting.catch(() => {});
      return victim;
    },
    async death(kind) {
      const signal = await inTime(`a death ${kind}`, house.victim().ended);
      if (signal !== 'SIGKILL') throw new Error(`it ended by ${signal}: ${house.victim().complaints()}`);
      expect(house.victim().complaints()).toBe('');
      kills.set(kind, (kills.get(kind) ?? 0) + 1);
      await ledger.noteKill();
    },
    async resident() {
      const username = `resident-${nth++}`;
      const named = { username, email: `${username}@example.test`, password: `lantern over a quiet harbour ${nth}` };
      const { id } = await house.victim().ask('createPerson', named);
      const person = createPerson({ issuer, id, ...named });
      const [first, second] = [person.browser(), person.anotherBrowser()];
      const signedIn = [];
      for (const client of [player, theatre, phone]) signedIn.push(await signInAt(client, person, first));
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
export async function expectDead({ library, issuer }: Haunted, { signedIn, browsers }: Resident): Promise<void> {
  for (const { client, tokens } of signedIn) {
    expect(await library.introspect(tokens.access_token)).toEqual({ active: false });
    expect(await library.introspect(tokens.refresh_token)).toEqual({ active: false });
    expect(await client.refresh(tokens)).toEqual({ error: 'invalid_grant' });
    expect((await client.userinfo(tokens)).status).toBe(401);
  }
  for (const browser of browsers) {
    const thief = copyOf(browser);
    await thief.open('/account');
    expect(new URL(thief.page.url).pathname, `a cookie of ${issuer}`).toBe('/sign-in');
  }
}

/** Everything issued still works; nothing is used up by asking. */
export async function expectAlive({ library }: Haunted, { signedIn, browsers }: Resident): Promise<void> {
  for (const { tokens } of signedIn) {
    expect(await library.introspect(tokens.refresh_token)).toMatchObject({ active: true });
    expect(await library.introspect(tokens.access_token)).toMatchObject({ active: true });
  }
  for (const browser of browsers) {
    const own = copyOf(browser);
    await own.open('/account');
    expect(new URL(own.page.url).pathname).toBe('/account');
  }
}

/** Every Client that had a Client Session of this resident was told, and nobody was told of what came after. */
export function expectTold({ ledger, player, theatre }: Haunted, { person, signedIn, since }: Resident): void {
  const told = ledger.entries.filter(({ claims }) => claims.sub === person.id);
  for (const { client, sid } of signedIn) {
    if (client === player) expect(told.filter((entry) => entry.claims.sid === sid).length, `${person.username} at player`).toBeGreaterThan(0);
    if (client === theatre) expect(told.filter((entry) => entry.client === 'theatre').length, `${person.username} at theatre`).toBeGreaterThan(0);
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

export async function inTime<Result>(what: string, wanted: Promise<Result>): Promise<Result> {
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

/** What the last death left behind is a whole database. */
export function checkDatabase(path: string): void {
  const database = new DatabaseSync(path);
  expect(database.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
  database.close();
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
      client_id: 'phone',
      token_endpoint_auth_method: 'none',
      ...code,
      redirect_uris: ['http://phone.test/callback'],
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
