/**
 * The wiring of a drill: the house over a copy of its store, shut in.
 *
 * Invariant: the copy is opened with the real keyring and by the rooms that serve people, and nothing of it leaves this
 * process: no worker is started, the way out to the network is closed, and mail stays in the queue. Guesses are not counted
 * there, since a door that is shut by counting would look like one that is shut; and its clock stands still, since what was good
 * when it was carried off would look worthless after an hour of searching.
 */
import { createHmac } from 'node:crypto';
import { join } from 'node:path';

import { createCredentials } from './authn/credentials.ts';
import { createHalfWaySignIns } from './authn/half-way.ts';
import { composeCore, composeWeb, type Core } from './compose.ts';
import type { Config } from './config.ts';
import { drillStolenDatabase, type DrillProgress, type DrillReport } from './drill/stolen-database/drill.ts';
import type { DrillClient, DrilledHouse, LookUps } from './drill/stolen-database/house.ts';
import { inventClient, inventPerson } from './drill/stolen-database/life.ts';
import { type Canary, fromBase32 } from './drill/stolen-database/spellings.ts';
import { contentOpener } from './mail/outbox.ts';
import type { LinkKind } from './authn/mailed-links.ts';
import { type Clock, systemClock } from './platform/clock.ts';
import { createLog } from './platform/log.ts';
import { failed, OutboundFailed } from './platform/outbound-outcome.ts';
import { randomId } from './platform/random.ts';
import type { Store } from './store/port.ts';
import { openSpoils } from './store/sqlite/spoils.ts';
import { snapshotStore } from './store-snapshot.ts';

export { storeBytes } from './store-snapshot.ts';
export type { DrillReport, Spoil } from './drill/stolen-database/drill.ts';

/** Cheap: what a guess at a password costs is not what is tried here, and the one password is known to nobody else. */
const PASSWORD_HASHING = { memoryKiB: 1024, iterations: 1, parallelism: 1 };
const NAME = 'curfew.db';

/**
 * Copies the store into a folder that nobody else can look into, lives there and tries everything (src/drill/stolen-database).
 * What becomes of the folder is the caller's. Rejects with the signal's reason once it is aborted.
 */
export async function drillCopyOfStore({
  config,
  folder,
  sample,
  signal,
  report,
}: {
  readonly config: Config;
  readonly folder: string;
  readonly sample: number;
  readonly signal: AbortSignal;
  readonly report: (progress: DrillProgress) => void;
}): Promise<DrillReport> {
  const path = join(folder, NAME);
  await snapshotStore({
    store: config.store,
    path,
    run: randomId(),
    now: systemClock.now,
    signal,
    report: ({ done, total }) => report({ doing: 'Copying the store', done, total }),
  });
  const client = inventClient();
  const at = systemClock.now();
  const clock: Clock = { ...systemClock, now: () => at };
  const asItWas = config.store.engine === 'sqlite' ? [config.store.path, `${config.store.path}-wal`] : [];
  return drillStolenDatabase({
    open: () => openDrilled(shutIn(config, { folder, path, client }), clock),
    openSpoils: () => openSpoils(path),
    files: [path, `${path}-wal`, `${path}-journal`, ...asItWas],
    person: inventPerson(),
    client,
    sample,
    now: clock.now,
    signal,
    report,
  });
}

/** The configuration as it is, but for what would ask more of a person than the drill answers, or reach anybody. */
function shutIn(
  config: Config,
  { folder, path, client }: { readonly folder: string; readonly path: string; readonly client: DrillClient },
): Config {
  const { client_id, client_secret, redirect_uri } = client;
  return {
    ...config,
    store: { engine: 'sqlite', path },
    mail: {
      route: { by: 'folder', folder: join(folder, 'mail') },
      from: config.mail?.from ?? { name: '', address: 'drill@drill.invalid' },
      perMinute: undefined,
    },
    outbound: { allow: [] },
    trustProxy: 0,
    secondFactor: { requiredFor: 'nobody' },
    passwordHashing: PASSWORD_HASHING,
    clients: [
      ...config.clients,
      {
        client_id,
        client_secret,
        client_name: 'Drill',
        application_type: 'web',
        redirect_uris: [redirect_uri],
        post_logout_redirect_uris: [],
        response_types: ['code'],
        grant_types: [
          'authorization_code',
          'refresh_token',
          'client_credentials',
          'urn:ietf:params:oauth:grant-type:device_code',
        ],
        token_endpoint_auth_method: 'client_secret_basic',
        subject_type: 'public',
        first_party: true,
        introspects: 'all',
      },
    ],
  };
}

/** Nothing is called, whatever its address. */
const SHUT = {
  post: async () => failed('refused-address', 'a drill calls nobody'),
  fetch: async () => Promise.reject(new OutboundFailed('refused-address', 'a drill calls nobody')),
  close: async () => undefined,
};

/** Counts no guess. */
const uncounted = (store: Store): Store => ({
  ...store,
  accounts: {
    ...store.accounts,
    throttle: async () => ({ failures: 0, blockedUntil: null }),
    addFailure: async () => ({ failures: 0, blockedUntil: null }),
    countAttempt: async () => 1,
  },
});

async function openDrilled(config: Config, clock: Clock): Promise<DrilledHouse> {
  const log = createLog({ level: 'silent' });
  const core = await composeCore(config, log, {
    clock,
    wrapStore: uncounted,
    outbound: SHUT,
    hashFloor: PASSWORD_HASHING,
  });
  try {
    const web = await composeWeb(core);
    const cookieKey = core.keyring.derive('cookies').toString('base64url');
    const openMail = contentOpener(core.keyring);
    return {
      issuer: config.issuer,
      listener: web.listener,
      settled: web.settled,
      async close() {
        web.stop();
        await web.settled();
        await core.close();
      },
      async createAccount(person) {
        const hashed = await core.signIn.hashNewPassword(person);
        const created = 'hash' in hashed ? await core.accounts.create({ ...person, passwordHash: hashed.hash }) : null;
        if (created === null || !('account' in created)) throw new Error("the drill's account could not be made");
        return created.account.id;
      },
      issueInitialAccessToken: () => core.issueInitialAccessToken({ expiresInSeconds: 3600 }),
      async mailsTo(accountId) {
        const mails = await core.store.outbox.list({ accountId, page: { limit: 100 } });
        return mails.map((mail) => JSON.stringify(openMail(mail)));
      },
      // As the library that signs them does (Keygrip): SHA-1 over name and value.
      signCookie: (name, value) => createHmac('sha1', cookieKey).update(`${name}=${value}`).digest('base64url'),
      lookUps: (accountId) => lookUpsIn(core, accountId),
      peopleBesides: (accountId, most) => peopleIn(core, accountId, most),
    };
  } catch (fault) {
    await core.close();
    throw fault;
  }
}

const LINKS: readonly LinkKind[] = [
  'reset-password',
  'verify-email',
  'change-email',
  'revert-email',
  'not-me',
  'register',
  'invite',
];

function lookUpsIn(core: Core, accountId: string): LookUps {
  const provider = core.provider.current();
  const { artifacts, accounts } = core.store;
  const halfWay = createHalfWaySignIns({ artifacts, attempts: accounts, keyring: core.keyring, clock: core.clock });
  type Model = { readonly adapter: { find(id: string): Promise<unknown> } };
  const finds =
    (...models: readonly unknown[]) =>
    async (value: string): Promise<boolean> => {
      for (const model of models) if (await found((model as Model).adapter.find(value))) return true;
      return false;
    };
  return {
    session: finds(provider.Session),
    interaction: finds(provider.Interaction),
    'half-finished sign-in': async (value) => (await halfWay.find(value, SECOND_STEP)) !== null,
    'access token': finds(provider.AccessToken, provider.ClientCredentials),
    'refresh token': finds(provider.RefreshToken),
    'authorization code': finds(provider.AuthorizationCode),
    'device code': finds(provider.DeviceCode),
    // As it is typed: without what people put between its letters.
    'user code': (value) =>
      found(provider.DeviceCode.adapter.findByUserCode(value.replaceAll(/[^A-Za-z]/g, '').toUpperCase())),
    'pushed request': finds(provider.PushedAuthorizationRequest),
    'registration token': finds(provider.RegistrationAccessToken),
    'initial access token': finds(provider.InitialAccessToken),
    async 'mailed link'(value) {
      for (const kind of LINKS) if (await found(core.links.find(kind, value))) return true;
      return false;
    },
    async 'client secret'(value) {
      const all = await core.clients.list();
      return all.some(({ metadata: { client_id, client_secret } }) =>
        typeof client_secret === 'string' ? core.clients.matches(client_id, client_secret, value) : false,
      );
    },
    'trusted browser': (value) => core.trustedBrowsers.isTrusted(accountId, value),
    'recovery code': (value) => core.recoveryCodes.use(accountId, value),
  };
}

const SECOND_STEP = '/sign-in/second-step?return_to=%2Faccount';

/** What is found and does not open is found as well. */
async function found(asked: Promise<unknown>): Promise<boolean> {
  try {
    return ((await asked) ?? null) !== null;
  } catch (fault) {
    if (fault instanceof Error && fault.name === 'SealBroken') return true;
    throw fault;
  }
}

const PEOPLE_AT_ONCE = 100;

async function* peopleIn(core: Core, drilled: string, most: number): AsyncGenerator<readonly Canary[]> {
  const { accounts: store, revocations } = core.store;
  const apps = createCredentials<{ readonly secret: string }>({
    kind: 'totp',
    store,
    revocations,
    keyring: core.keyring,
  });
  let after: string | undefined;
  for (let left = most; left > 0; left -= PEOPLE_AT_ONCE) {
    const limit = Math.min(left, PEOPLE_AT_ONCE);
    const page = await core.accounts.list({ after, limit });
    for (const { id, email } of page) {
      if (id === drilled) continue;
      const secrets = (await apps.of(id)).map(({ content }) => content.secret);
      yield [
        ...(email === '' ? [] : [{ what: `the e-mail address of account ${id}`, value: email, guessable: true }]),
        ...secrets.flatMap((secret) => [
          { what: `the app secret of account ${id}`, value: secret },
          { what: `the app secret of account ${id}`, value: fromBase32(secret) ?? Buffer.from(secret) },
        ]),
      ];
    }
    after = page.at(-1)?.id;
    if (page.length < limit) return;
  }
}
