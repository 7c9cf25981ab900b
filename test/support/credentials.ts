/**
 * Credentials of every sort, by the hundred, as people and their apps hold them; and for each the question whether it still
 * lets anybody in, which can be put to any process of the installation. Made through the house's own doors: pages, protocol
 * and rooms. It refuses to know what ends them.
 */
import type { Core } from '../../src/compose.ts';
import type { Browser } from './browser.ts';
import type { Client, Tokens } from './client.ts';
import { createPerson, type Person } from './people.ts';

export type Credential = {
  readonly kind: string;
  /** Asked at a process by its address; using it up where the answer is yes, unless it lasts. */
  readonly accepted: (origin: string) => Promise<boolean>;
  /** Whether it can be asked about again and again. */
  readonly lasts: boolean;
};

export type Held = {
  readonly credentials: readonly Credential[];
  /** Of the same people, codes that are good for a minute: to be asked for when all the others are ready. */
  codes(): Promise<readonly Credential[]>;
};

/** Where they are made. */
export type Issuing = {
  readonly issuer: string;
  readonly core: Core;
  readonly client: (id: string) => Client;
  /** The same Client, speaking to this process. */
  readonly clientAt: (origin: string, id: string) => Client;
};

const PASSWORD = 'lantern over a quiet harbour';
const AT_ONCE = 6;
/** So many of them have one: how many codes are typed in in a minute is bounded for all together. */
const TELEVISIONS = 40;

/** What this many people hold; those of one person are next to each other. Works with the Clients of the tests' worlds. */
export async function credentialsOf(where: Issuing, people: number): Promise<Held> {
  const { core, client } = where;
  const hashed = await core.signIn.hashNewPassword({
    password: PASSWORD,
    username: 'nobody',
    email: 'nobody@example.test',
  });
  if (!('hash' in hashed)) throw new Error(`the password was refused: ${JSON.stringify(hashed)}`);
  const everybody = Array.from({ length: people }, (_, nth) => nth);
  const persons = await severalAtOnce(everybody, (nth) => somebody(where, nth, hashed.hash));
  const held = await severalAtOnce(persons, async (person) => {
    const televised = persons.indexOf(person) < TELEVISIONS;
    return [...(await heldBy(where, person)), ...(televised ? await connectedBy(where, person) : [])];
  });
  return {
    credentials: held.flat(),
    async codes() {
      const obtained = await severalAtOnce(persons, async (person) => {
        const [player, another, phone] = [
          await client('player').obtainCode(person),
          await client('player').obtainCode(person),
          await client('phone').obtainCode(person),
        ];
        return [codeOf(where, 'player', player), codeOf(where, 'player', another), codeOf(where, 'phone', phone)];
      });
      return obtained.flat();
    },
  };
}

async function severalAtOnce<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) results[at] = await work(items[at] as Item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return results;
}

async function somebody({ issuer, core }: Issuing, nth: number, passwordHash: string): Promise<Person> {
  const named = { username: `holder.${nth}`, email: `holder.${nth}@example.test` };
  const created = await core.accounts.create({ ...named, passwordHash });
  if (!('account' in created)) throw new Error(`${named.username} was refused: ${created.refused}`);
  return createPerson({ issuer, id: created.account.id, ...named, password: PASSWORD });
}

async function heldBy(where: Issuing, person: Person): Promise<readonly Credential[]> {
  const { core, client } = where;
  const [player, phone] = [client('player'), client('phone')];
  const browser = await person.signIn();
  const tokens = {
    player: [await player.signIn(person, browser), await player.signIn(person, browser)],
    phone: [await phone.signIn(person, browser)],
  };
  const { id: accountId, email } = person;
  const passwordChangedAt = (await core.accounts.find(accountId))?.passwordChangedAt?.toISOString() ?? null;
  const links = {
    reset: await core.links.mint({ accountId, purpose: { kind: 'reset-password', email, passwordChangedAt } }),
    verify: await core.links.mint({ accountId, purpose: { kind: 'verify-email', email } }),
    change: await core.links.mint({ accountId, purpose: { kind: 'change-email', email: `new.${email}`, from: email } }),
  };
  const stamps = await core.store.revocations.epochs(['everyone', `account:${accountId}`]);
  const trusted = await core.trustedBrowsers.trust({ accountId, browser: 'Firefox', stamps });
  return [
    ...sessionOf(where, browser),
    ...Object.entries(tokens).flatMap(([id, each]) => each.flatMap((one) => tokensOf(where, id, one))),
    linkOf('a link to choose a password', `/reset/confirm?link=${links.reset}`),
    linkOf('a link to confirm an address', `/verify?link=${links.verify}`),
    linkOf('a link to change an address', `/email/confirm?link=${links.change}`),
    {
      kind: 'a trusted browser',
      lasts: true,
      accepted: () => core.trustedBrowsers.isTrusted(accountId, trusted),
    },
  ];
}

/** A television that is connected, and one that is about to be. */
async function connectedBy(where: Issuing, person: Person): Promise<readonly Credential[]> {
  const [tv, browser] = [where.client('tv'), person.browser()];
  const tokens = await tv.connectDevice(person, browser);
  const { device_code: deviceCode, user_code: userCode } = await tv.startDevice();
  await tv.approveDevice(person, userCode, browser);
  return [
    ...tokensOf(where, 'tv', tokens),
    {
      kind: 'an approved device code',
      lasts: false,
      accepted: async (origin) => (await where.clientAt(origin, 'tv').pollDevice(deviceCode)).status === 200,
    },
  ];
}

const html = {
  accept: 'text/html',
  'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
};

function sessionOf({ issuer, client }: Issuing, browser: Browser): Credential[] {
  const cookie = browser.cookieHeader(new URL('/account', issuer));
  const ask = (origin: string, path: string): Promise<Response> =>
    fetch(new URL(path, origin), { redirect: 'manual', headers: { ...html, cookie } });
  return [
    {
      kind: 'a session cookie, at a page',
      lasts: true,
      accepted: async (origin) => (await ask(origin, '/account')).status === 200,
    },
    {
      kind: 'a session cookie, at an authorization',
      lasts: true,
      async accepted(origin) {
        const { pathname, search } = new URL(client('player').authorization({ prompt: 'none' }).url);
        const { headers } = await ask(origin, pathname + search);
        return new URL(headers.get('location') ?? '', issuer).searchParams.has('code');
      },
    },
  ];
}

function tokensOf({ clientAt }: Issuing, id: string, { access_token, refresh_token }: Tokens): Credential[] {
  const introspected =
    (token: string) =>
    async (origin: string): Promise<boolean> =>
      (await clientAt(origin, 'library').introspect(token)).active;
  return [
    { kind: `an access token of ${id}, introspected`, lasts: true, accepted: introspected(access_token) },
    {
      kind: `an access token of ${id}, at userinfo`,
      lasts: true,
      accepted: async (origin) => (await clientAt(origin, id).userinfo({ access_token })).status === 200,
    },
    { kind: `a refresh token of ${id}, introspected`, lasts: true, accepted: introspected(refresh_token) },
    {
      kind: `a refresh token of ${id}`,
      lasts: false,
      accepted: async (origin) => 'access_token' in (await clientAt(origin, id).refresh({ refresh_token })),
    },
  ];
}

const codeOf = (
  { clientAt }: Issuing,
  id: string,
  { code, verifier }: { readonly code: string; readonly verifier: string },
): Credential => ({
  kind: `a code of ${id}`,
  lasts: false,
  accepted: async (origin) => (await clientAt(origin, id).exchange(code, verifier)).status === 200,
});

/** Looking at one uses nothing up. */
const linkOf = (kind: string, path: string): Credential => ({
  kind,
  lasts: true,
  accepted: async (origin) =>
    (await fetch(new URL(path, origin), { redirect: 'manual', headers: html })).status === 200,
});

/** How many of these are accepted, by kind; each is asked at every process. */
export async function acceptedOf(
  credentials: readonly Credential[],
  origins: readonly string[],
): Promise<{ readonly asked: number; readonly accepted: Readonly<Record<string, number>> }> {
  const accepted: Record<string, number> = {};
  const asked = await severalAtOnce(credentials, async ({ kind, accepted: ask }) => {
    for (const origin of origins) if (await ask(origin)) accepted[kind] = (accepted[kind] ?? 0) + 1;
  });
  return { asked: asked.length * origins.length, accepted };
}

/** How many that were. */
export const countOf = (accepted: Readonly<Record<string, number>>): number =>
  Object.values(accepted).reduce((sum, count) => sum + count, 0);

/** How long codes are good for, and how long ago these must have been made at most to be of any worth as a question. */
export const CODE_SECONDS = 60;
