/**
 * The only wiring in the house: every room is built here, handed what it needs, and known to nobody else.
 *
 * `composeCore` is what a command needs: the store, the keys, the accounts, the door by which access ends, and the means
 * to tell Clients. `composeWeb` puts pages and protocol endpoints on it.
 */
import type { RequestListener } from 'node:http';
import { fileURLToPath } from 'node:url';

import { createAccounts } from './accounts/accounts.ts';
import { createAudit } from './audit/audit.ts';
import { approvalEvent, deliveryEvent, mailEvent, refusedEvent, signOutEvent } from './audit/happenings.ts';
import { createJournal } from './audit/journal.ts';
import { createLater } from './audit/later.ts';
import { createDemandedPasswords } from './authn/demanded-passwords.ts';
import { createHalfWaySignIns } from './authn/half-way.ts';
import { createMoreProofs } from './authn/more-proofs.ts';
import { createPasswordHasher, type HashParameters } from './authn/password-hash.ts';
import { createPasswordPolicy } from './authn/password-policy.ts';
import { createSignIn } from './authn/sign-in.ts';
import { createThrottle } from './authn/throttle.ts';
import { composeIncidents } from './compose-incidents.ts';
import type { Config } from './config.ts';
import { createConnections } from './connections/connections.ts';
import { createDeliveryWorker } from './delivery/worker.ts';
import { createLogoutDrill } from './drill/logout-drill.ts';
import { createMail } from './mail/mail.ts';
import { createArtifactAdapter } from './oidc/artifact-adapter.ts';
import { signBentToken } from './oidc/bent-token.ts';
import { createBrowserSessions } from './oidc/browser-session.ts';
import { refuseClientMetadata } from './oidc/client-check.ts';
import { createClientDirectory } from './oidc/clients.ts';
import { deviceSealer } from './oidc/device.ts';
import { createDeviceApprovals } from './oidc/device-approvals.ts';
import { clientSessionRecorder } from './oidc/grants.ts';
import { issueInitialAccessToken } from './oidc/initial-access-token.ts';
import { createInteractions } from './oidc/interactions.ts';
import { mintLogoutToken } from './oidc/logout-token.ts';
import { REFRESH_TOKEN_SECONDS, scopesKnown } from './oidc/provider.ts';
import { createProviderHolder } from './oidc/provider-holder.ts';
import { createReturningDevices } from './oidc/returning-devices.ts';
import { createAccessTokenMarks } from './oidc/self-contained.ts';
import { createSigningKeys } from './oidc/signing-keys.ts';
import { type Clock, systemClock } from './platform/clock.ts';
import type { Log } from './platform/log.ts';
import { createOutbound, type Outbound } from './platform/outbound-http.ts';
import { createReach } from './platform/outbound-reach.ts';
import { randomId } from './platform/random.ts';
import { createSealingKeys } from './resealing/rotation.ts';
import { createSealingKeyWatch } from './resealing/sealing-key.ts';
import { createFanOut, type Tellable } from './revocation/fan-out.ts';
import { createSignOuts, REASONS } from './revocation/sign-out.ts';
import type { Store } from './store/port.ts';
import { openStoreAndKeyring } from './open-store.ts';
import { createAfterwards } from './web/afterwards.ts';
import { createApp } from './web/app.ts';
import { createMetrics } from './web/metrics.ts';
import { createProviderPages } from './web/provider-pages.ts';
import { createViews } from './web/views.ts';

// What commands need besides the core, so that they import the wiring and nothing behind it.
export { readCheckpoints, readPublicKey } from './audit/audit-files.ts';
export type { Checker } from './audit/signed.ts';
export { type Verified, verifyFile } from './audit/verify-file.ts';
export { openBlocklist } from './authn/password-blocklist.ts';
export { INCIDENT_RESET_SECONDS } from './authn/mailed-links.ts';
export { parseEmail } from './accounts/identifiers.ts';
export { checkNewClient } from './config/check-new-client.ts';
export { isRefusal, parseStoreAddress } from './config/store-address.ts';
export { SIGNING_ALGORITHMS } from './oidc/signing-keys.ts';
export { KeyringProblem } from './platform/keyring.ts';
export { RotationBusy } from './resealing/rotation.ts';
export { DEADLINE_SECONDS as MAIL_DEADLINE_SECONDS } from './mail/outbox.ts';
export { systemClock } from './platform/clock.ts';
export { createLog } from './platform/log.ts';
export { randomId, randomSecret } from './platform/random.ts';
export { formatProblems } from './config/read.ts';
export { readConfig } from './configuration.ts';
export { migrateStore, openStoreReader, openStoreToFill, storeIsThere, storeName, storeUrl } from './open-store.ts';
export { readReceipt, receiptJson, scopeText } from './revocation/receipt.ts';
export { secretFileProblem } from './platform/secret-file.ts';
export { accountsDone, isEveryone, newIncidentId, statusOf as incidentStatus } from './revocation/incident/incident.ts';
export { REASONS } from './revocation/sign-out.ts';
export { copySource, copyStore, countKinds, isSameSource, unfinishedCopy } from './store/copy.ts';
export { StoreUnavailable, StoreUnusable } from './store/port.ts';
export { KINDS } from './store/transfer.ts';
export { type IncidentReport, renderIncidentReport } from './web/incident-report.ts';

export type Core = Awaited<ReturnType<typeof composeCore>>;
export type Web = Awaited<ReturnType<typeof composeWeb>>;

/** What tests and drills replace; nobody else does. */
export type Seams = {
  readonly clock?: Clock;
  /** Stands between the house and its store: gates and faults. */
  readonly wrapStore?: (store: Store) => Store;
  readonly hashFloor?: HashParameters;
  /** Stands in for the way out to the network, for a house that must reach nobody. */
  readonly outbound?: Outbound;
};

/**
 * Opens keyring and store and wires every room that needs no HTTP. Throws KeyringProblem, StoreUnusable or
 * StoreUnavailable with messages for people; nothing is running yet when it does.
 */
export async function composeCore(config: Config, log: Log, seams: Seams = {}) {
  const { clock = systemClock, wrapStore = (store: Store) => store } = seams;
  const { keyring, store: opened } = await openStoreAndKeyring(config);
  const store = wrapStore(opened);

  const outbound =
    seams.outbound ??
    createOutbound({
      allow: config.outbound.allow,
      // Several Clients may live on one origin; each is bounded by its own lane of the worker.
      connectionsPerOrigin: 8 * config.delivery.perClient,
      clock,
    });
  const metrics = createMetrics();
  const journal = createJournal({ store: store.journal, keyring, clock, log });
  const later = createLater({ journal, clock });
  const audit = createAudit({ store, keyring, clock, log, issuer: config.issuer, ...config.audit });
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
      await journal.record({ kind: 'client.deleted', accountId: null, facts: { client: clientId } });
    },
  });
  const tellable = async (clientId: string): Promise<Tellable> => {
    const client = await clients.lookUpFormer(clientId);
    if (client?.metadata['backchannel_logout_uri'] === undefined) return null;
    return { sessionRequired: client.metadata['backchannel_logout_session_required'] === true };
  };
  const fanOut = createFanOut({
    store,
    clock,
    log,
    deadlineHours: config.delivery.deadlineHours,
    tellable,
    written: () => deliveries.wake(),
    spreadOut: (signOut) => journal.record(signOutEvent(signOut, Object.values(REASONS))),
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
    refused: (guess) => later.add(refusedEvent(guess)),
  });
  const demands = createDemandedPasswords(store.catalogue);
  const signIn = createSignIn({
    store: store.accounts,
    accounts,
    demands,
    throttle,
    hasher,
    policy: createPasswordPolicy({ issuer: config.issuer }),
    clock,
    log,
  });

  const proofs = createMoreProofs({ store, keyring, clock, throttle, issuer: config.issuer });
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
  const returning = createReturningDevices({
    store,
    keyring,
    clock,
    devices,
    refreshTokenSeconds: REFRESH_TOKEN_SECONDS,
  });
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
        clientSessionOf: clientSessionRecorder({
          clock,
          sealDevice: devices.seal,
          approved: (session) => later.add(approvalEvent(session)),
        }),
        revokeGrant: (grantId) => store.revocations.revokeGrant(grantId, clock.now()),
        noteUse: (grantId) => store.revocations.touchClientSession({ grantId, lastUsedAt: clock.now() }),
      }),
      cookieKeys: [keyring.derive('cookies').toString('base64url')],
      outboundFetch: (url, init) => outbound.fetch(url as string, init as never),
      claimsOf: async (accountId) => (await accounts.claimsOf(accountId)) ?? { sub: accountId },
      pages: createProviderPages({
        views,
        connectionName: (id) => connections.settingsOf(id)?.name,
        localeOf: async (id) => (await accounts.find(id))?.locale ?? null,
      }),
      returning,
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
    observe: { ...metrics.deliveries, ended: (end) => later.add(deliveryEvent(end)) },
    concurrency: config.delivery.concurrency,
    perClient: config.delivery.perClient,
  });

  const logoutDrill = createLogoutDrill({
    mint: (request) => mintLogoutToken(provider.current(), clients, request),
    sign: (token) => signBentToken({ signingKeys, clock }, token),
    publicKeys: () => provider.jwks(),
    secretOf: (clientId) => config.clients.find((client) => client.client_id === clientId)?.client_secret,
    outbound,
    clock,
  });

  const mail = createMail({
    config,
    outbox: store.outbox,
    keyring,
    clock,
    log,
    observe: { ...metrics.mails, gaveUp: (end) => later.add(mailEvent(end)) },
  });

  const sealingKeyWatch = createSealingKeyWatch({ catalogue: store.catalogue, keyring, clock, log });
  const sealingKeys = createSealingKeys({
    catalogue: store.catalogue,
    leases: store.leases,
    seals: store.seals,
    journal,
    keyring,
    keyringFile: config.keyringFile,
    clock,
    holder: randomId(),
  });

  const incidents = composeIncidents({
    config,
    store,
    clock,
    log,
    accounts,
    demands,
    links: proofs.links,
    mailer: mail.mailer,
    journal,
    clients,
    signingKeys,
    fanOut,
    tellable,
    sealingKeys,
  });

  return {
    config,
    log,
    clock,
    store,
    keyring,
    ...mail,
    ...proofs,
    incidents,
    journal,
    later,
    audit,
    outbound,
    reach: createReach({ allow: config.outbound.allow }),
    metrics,
    accounts,
    signIn,
    demands,
    throttle,
    signOuts,
    fanOut,
    deliveries,
    logoutDrill,
    clients,
    connections,
    signingKeys,
    sealingKeys,
    sealingKeyWatch,
    provider,
    devices,
    returning,
    views,
    /** Why this metadata, secret included, makes no Client; null when it does. */
    refuseClientMetadata: (metadata: object) => refuseClientMetadata(provider.current(), metadata),
    issueInitialAccessToken: (lifetime: { readonly expiresInSeconds: number }) =>
      issueInitialAccessToken(provider.current(), store.revocations, lifetime),
    /** Stops what runs in the background, then lets go of network and store. Safe to call once. */
    async close(): Promise<void> {
      sealingKeyWatch.stop();
      provider.stop();
      await fanOut.stop();
      await Promise.all([deliveries.stop(), mail.mails?.stop()]);
      await later.flush();
      await audit.worker.stop();
      await outbound.close();
      await store.close();
    },
  };
}

/** Puts HTTP on the core: the listener to hand to a server, and the background work to start and stop with it. */
export async function composeWeb(core: Core) {
  const { config, store, clock, keyring, provider, signOuts } = core;
  const stopping = new AbortController();
  const afterwards = createAfterwards({ log: core.log, clock });
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
    factors: core.factors,
    totp: core.totp,
    recoveryCodes: core.recoveryCodes,
    passkeys: core.passkeys,
    trustedBrowsers: core.trustedBrowsers,
    demands: core.demands,
    links: core.links,
    halfWay: createHalfWaySignIns({ artifacts: store.artifacts, attempts: store.accounts, keyring, clock }),
    journal: core.journal,
    mailer: core.mailer,
    afterwards,
    signOuts,
    clients: core.clients,
    connections: core.connections,
    devices: core.devices,
    returning: core.returning,
    approvals: createDeviceApprovals({
      provider: provider.current,
      returning: core.returning,
      ...store,
      clock,
      scopes: scopesKnown(config),
    }),
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
    /** Fan-out, deliveries, mails, the chain of events, key reload and sweeping. */
    start(): void {
      core.sealingKeyWatch.start();
      provider.start();
      core.fanOut.start();
      core.deliveries.start();
      core.mails?.start();
      core.audit.worker.start();
    },
    /** Lets go of those who only wait for news, so that the server can close. */
    stop(): void {
      stopping.abort();
    },
    /** Resolves when what answers left to do is done: to be awaited once the server has closed. */
    settled: () => afterwards.idle(),
  };
}
