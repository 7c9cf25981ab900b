/**
 * The only wiring in the house: every room is built here, handed what it needs, and known to nobody else.
 *
 * `composeCore` is what a command needs: the store, the keys, the accounts, the door by which access ends, and the means
 * to tell Clients. `composeWeb` puts pages and protocol endpoints on it.
 */
import type { RequestListener } from 'node:http';
import { fileURLToPath } from 'node:url';

import { createAccounts } from './accounts/accounts.ts';
import { createPasswordHasher, type HashParameters } from './authn/password-hash.ts';
import { createPasswordPolicy } from './authn/password-policy.ts';
import { createSignIn } from './authn/sign-in.ts';
import { createThrottle } from './authn/throttle.ts';
import type { Config } from './config.ts';
import { createConnections } from './connections/connections.ts';
import { createDeliveryWorker } from './delivery/worker.ts';
import { createArtifactAdapter } from './oidc/artifact-adapter.ts';
import { createBrowserSessions } from './oidc/browser-session.ts';
import { refuseClientMetadata } from './oidc/client-check.ts';
import { createClientDirectory } from './oidc/clients.ts';
import { deviceSealer } from './oidc/device.ts';
import { clientSessionRecorder } from './oidc/grants.ts';
import { issueInitialAccessToken } from './oidc/initial-access-token.ts';
import { createInteractions } from './oidc/interactions.ts';
import { mintLogoutToken } from './oidc/logout-token.ts';
import { createProviderHolder } from './oidc/provider-holder.ts';
import { createAccessTokenMarks } from './oidc/self-contained.ts';
import { createSigningKeys } from './oidc/signing-keys.ts';
import { type Clock, systemClock } from './platform/clock.ts';
import type { Log } from './platform/log.ts';
import { createOutbound } from './platform/outbound-http.ts';
import { createReach } from './platform/outbound-reach.ts';
import { createFanOut } from './revocation/fan-out.ts';
import { createSignOuts, REASONS } from './revocation/sign-out.ts';
import type { Store } from './store/port.ts';
import { openStoreAndKeyring } from './open-store.ts';
import { createApp } from './web/app.ts';
import { createMetrics } from './web/metrics.ts';
import { createProviderPages } from './web/provider-pages.ts';
import { createViews } from './web/views.ts';

// What commands need besides the core, so that they import the wiring and nothing behind it.
export { openBlocklist } from './authn/password-blocklist.ts';
export { checkNewClient } from './config/check-new-client.ts';
export { isRefusal, parseStoreAddress } from './config/store-address.ts';
export { SIGNING_ALGORITHMS } from './oidc/signing-keys.ts';
export { KeyringProblem } from './platform/keyring.ts';
export { systemClock } from './platform/clock.ts';
export { createLog } from './platform/log.ts';
export { randomSecret } from './platform/random.ts';
export { formatProblems } from './config/read.ts';
export { readConfig } from './configuration.ts';
export { migrateStore, openStoreReader, openStoreToFill, storeIsThere, storeName, storeUrl } from './open-store.ts';
export { readReceipt, receiptJson, scopeText } from './revocation/receipt.ts';
export { REASONS } from './revocation/sign-out.ts';
export { copySource, copyStore, countKinds, isSameSource, unfinishedCopy } from './store/copy.ts';
export { StoreUnavailable, StoreUnusable } from './store/port.ts';
export { KINDS } from './store/transfer.ts';

export type Core = Awaited<ReturnType<typeof composeCore>>;
export type Web = Awaited<ReturnType<typeof composeWeb>>;

/** What tests replace; nobody else does. */
export type Seams = {
  readonly clock?: Clock;
  /** Stands between the house and its store: gates and faults. */
  readonly wrapStore?: (store: Store) => Store;
  readonly hashFloor?: HashParameters;
};

/**
 * Opens keyring and store and wires every room that needs no HTTP. Throws KeyringProblem, StoreUnusable or
 * StoreUnavailable with messages for people; nothing is running yet when it does.
 */
export async function composeCore(config: Config, log: Log, seams: Seams = {}) {
  const { clock = systemClock, wrapStore = (store: Store) => store } = seams;
  const { keyring, store: opened } = await openStoreAndKeyring(config);
  const store = wrapStore(opened);

  const outbound = createOutbound({
    allow: config.outbound.allow,
    // Several Clients may live on one origin; each is bounded by its own lane of the worker.
    connectionsPerOrigin: 8 * config.delivery.perClient,
    clock,
  });
  const metrics = createMetrics();
  const signOuts = createSignOuts({ store, clock, wake: () => fanOut.wake() });
  const clients = createClientDirectory({
    configured: config.clients,
    catalogue: store.catalogue,
    keyring,
    clock,
    removeClient: async (clientId) => {
      const scope = { kind: 'client', clientId } as const;
      const signOut = await signOuts.prepare({ scope, reason: REASONS.clientRemoved, actor: { kind: 'operator' } });
      await store.catalogue.deleteClient(clientId, signOut);
      signOuts.written();
    },
  });
  const fanOut = createFanOut({
    store,
    clock,
    log,
    deadlineHours: config.delivery.deadlineHours,
    tellable: async (clientId) => {
      const client = await clients.lookUpFormer(clientId);
      if (client?.metadata['backchannel_logout_uri'] === undefined) return null;
      return { sessionRequired: client.metadata['backchannel_logout_session_required'] === true };
    },
    written: () => deliveries.wake(),
  });

  const accounts = createAccounts({ store: store.accounts, keyring, clock });
  const hasher = createPasswordHasher({
    keyring,
    parameters: config.passwordHashing,
    ...(seams.hashFloor === undefined ? {} : { floor: seams.hashFloor }),
  });
  const throttle = createThrottle({
    store: store.accounts,
    keyring,
    clock,
    log,
    addressAttemptsPerMinute: config.throttle.addressAttemptsPerMinute,
  });
  const signIn = createSignIn({
    store: store.accounts,
    accounts,
    throttle,
    hasher,
    policy: createPasswordPolicy({ issuer: config.issuer }),
    clock,
    log,
  });

  const connections = createConnections({
    config,
    store,
    accounts,
    keyring,
    clock,
    log,
    fetch: outbound.fetch,
    signOuts,
  });

  const signingKeys = createSigningKeys({ catalogue: store.catalogue, keyring, clock });
  const devices = deviceSealer(keyring);
  const views = createViews({ directory: fileURLToPath(new URL('../views', import.meta.url)), cache: true });
  const provider = await createProviderHolder({
    signingKeys,
    clock,
    log,
    parts: {
      config,
      store,
      clock,
      log,
      clients,
      adapter: createArtifactAdapter({
        artifacts: store.artifacts,
        keyring,
        clock,
        clients,
        epochs: (keys) => store.revocations.epochs(keys),
        clientSessionOf: clientSessionRecorder({ clock, sealDevice: devices.seal }),
        revokeGrant: (grantId) => store.revocations.revokeGrant(grantId, clock.now()),
        noteUse: (grantId) => store.revocations.touchClientSession({ grantId, lastUsedAt: clock.now() }),
      }),
      cookieKeys: [keyring.derive('cookies').toString('base64url')],
      outboundFetch: (url, init) => outbound.fetch(url as string, init as never),
      claimsOf: async (accountId) => (await accounts.claimsOf(accountId)) ?? { sub: accountId },
      pages: createProviderPages({ views, connectionName: (id) => connections.settingsOf(id)?.name }),
      marks: createAccessTokenMarks(store.revocations, clock),
      endBrowserSession: async (session) => void (await signOuts.endBrowserSession(session)),
      endClientSession: (session) => signOuts.endClientSession(session),
    },
  });
  const deliveries = createDeliveryWorker({
    deliveries: store.deliveries,
    mint: (request) => mintLogoutToken(provider.current(), clients, request),
    post: outbound.post,
    clock,
    random: Math.random,
    log,
    observe: metrics.deliveries,
    concurrency: config.delivery.concurrency,
    perClient: config.delivery.perClient,
  });

  return {
    config,
    log,
    clock,
    store,
    keyring,
    outbound,
    reach: createReach({ allow: config.outbound.allow }),
    metrics,
    accounts,
    signIn,
    throttle,
    signOuts,
    fanOut,
    deliveries,
    clients,
    connections,
    signingKeys,
    provider,
    devices,
    views,
    /** Why this metadata, secret included, makes no Client; null when it does. */
    refuseClientMetadata: (metadata: object) => refuseClientMetadata(provider.current(), metadata),
    issueInitialAccessToken: (lifetime: { readonly expiresInSeconds: number }) =>
      issueInitialAccessToken(provider.current(), store.revocations, lifetime),
    /** Stops what runs in the background, then lets go of network and store. Safe to call once. */
    async close(): Promise<void> {
      provider.stop();
      await fanOut.stop();
      await deliveries.stop();
      await outbound.close();
      await store.close();
    },
  };
}

/** Puts HTTP on the core: the listener to hand to a server, and the background work to start and stop with it. */
export async function composeWeb(core: Core) {
  const { config, store, clock, keyring, provider, signOuts } = core;
  const stopping = new AbortController();
  const app = createApp({
    stopping: stopping.signal,
    config,
    clock,
    keyring,
    store,
    log: core.log,
    metrics: core.metrics,
    views: core.views,
    accounts: core.accounts,
    signIn: core.signIn,
    throttle: core.throttle,
    signOuts,
    clients: core.clients,
    connections: core.connections,
    devices: core.devices,
    provider,
    interactions: createInteractions(provider.current),
    browsers: createBrowserSessions({
      provider: provider.current,
      clock,
      issuer: config.issuer,
      endBrowserSession: async (session) => void (await signOuts.endBrowserSession(session)),
    }),
  });
  await core.clients.recordConfiguration();
  await core.connections.recordConfiguration();
  const handle = app.callback();
  const listener: RequestListener = (request, response) => void handle(request, response);
  return {
    listener,
    /** Fan-out, deliveries, key reload and sweeping. */
    start(): void {
      provider.start();
      core.fanOut.start();
      core.deliveries.start();
    },
    /** Lets go of those who only wait for news, so that the server can close. */
    stop(): void {
      stopping.abort();
    },
  };
}
