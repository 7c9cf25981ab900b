/**
 * The Connections: upstream identity providers that may vouch for people, whatever protocol they speak.
 *
 * Invariant: a Connection that is no longer configured vouches for nobody, and its removal is a Sign-out of everybody who
 * came through it. What is asked of a provider, and what it answers, goes through an attempt (attempts.ts); who comes in is
 * decided elsewhere (federated-sign-in.ts). It refuses to know pages, cookies and tokens.
 */
import type { Accounts } from '../accounts/accounts.ts';
import type { Config, ConnectionEntry } from '../config.ts';
import type { Clock } from '../platform/clock.ts';
import type { Keyring } from '../platform/keyring.ts';
import type { Log } from '../platform/log.ts';
import type { Outbound } from '../platform/outbound-http.ts';
import { REASONS, type SignOuts } from '../revocation/sign-out.ts';
import type { Store } from '../store/port.ts';
import { type Attempt, type Attempts, createAttempts, type Order } from './attempts.ts';
import { createFederatedSignIn, type FederatedSignIn } from './federated-sign-in.ts';
import { createIdentities, type Identities } from './identities.ts';
import { createInboundLogout } from './inbound-logout.ts';
import { createOidcConnection, type OidcConnection } from './oidc-connection.ts';
import type { Departure, Finding, Refused } from './protocol.ts';
import { createSamlConnection, type SamlConnection } from './saml-connection.ts';
import type { InboundLogout } from './saml/logout.ts';
import { createSamlStates, NOTHING, type SamlStates } from './saml-states.ts';
import { createUpstreamSessions, type UpstreamSessions } from './upstream-sessions.ts';
import type { UpstreamOf, Vouched } from './vouched.ts';

export type { ArrivalRefusal } from './protocol.ts';

/** What of a Connection's configuration is the same for both kinds. */
export type ConnectionSettings = Pick<
  ConnectionEntry,
  'id' | 'type' | 'name' | 'domains' | 'admit' | 'createAccounts' | 'trustEmail' | 'reauthentication'
>;

/** Where the browser goes on, with a code to pick up what came of it; or why not, and where it may start again. */
export type Arrival =
  { readonly continueAt: string; readonly code: string } | (Refused & { readonly startAgainAt: string | null });

export type Connections = {
  /** In the order of the configuration. */
  list(): readonly ConnectionSettings[];
  settingsOf(connectionId: string): ConnectionSettings | null;
  /** Whose people have addresses like this one; null for anything else than an e-mail address of a claimed domain. */
  homeOf(typed: string): ConnectionSettings | null;
  readonly attempts: Attempts;
  readonly identities: Identities;
  readonly signIn: FederatedSignIn;
  readonly sessions: UpstreamSessions;
  /** Begins an attempt: where to send the browser, and the cookie that binds the two. */
  begin(order: Order): Promise<{ readonly departure: Departure; readonly cookie: string } | Refused>;
  oidcCallback(connectionId: string, query: string): Promise<Arrival>;
  samlResponse(
    connectionId: string,
    form: { readonly SAMLResponse: string; readonly RelayState: string },
  ): Promise<Arrival>;
  /** A Logout Token: carried out, refused, or not to be judged now. */
  backchannelLogout(
    connectionId: string,
    token: string,
  ): Promise<
    | { readonly kind: 'done' }
    | { readonly kind: 'refused'; readonly why: string }
    | { readonly kind: 'unavailable'; readonly why: string }
  >;
  /** A SAML logout message: a request, carried out and to be answered; or the answer to one of ours. */
  samlLogout(
    connectionId: string,
    message: SamlLogoutMessage,
  ): Promise<
    | { readonly kind: 'answer'; readonly location: string }
    | { readonly kind: 'finished' }
    | { readonly kind: 'refused'; readonly why: string }
  >;
  serviceProviderMetadata(connectionId: string): Promise<string>;
  /** Where the person of this browser signs out of the provider itself; null where that cannot be done. */
  signOutUrl(upstream: UpstreamOf): Promise<string | null>;
  /** What an operator can find out without a person. */
  test(connectionId: string): Promise<readonly Finding[]>;
  certificates(connectionId: string): Promise<readonly { readonly fingerprint: string; readonly validUntil: Date }[]>;
  readonly samlStates: SamlStates;
  /** Records what the configuration lists, and removes through the door what it no longer lists. For the server's start. */
  recordConfiguration(): Promise<void>;
};

export type SamlLogoutMessage =
  | { readonly binding: 'redirect'; readonly query: string }
  | {
      readonly binding: 'post';
      readonly form: {
        readonly SAMLRequest?: string | undefined;
        readonly SAMLResponse?: string | undefined;
        readonly RelayState?: string | undefined;
      };
    };

export function createConnections({
  config,
  store,
  accounts,
  keyring,
  clock,
  log,
  fetch,
  signOuts,
}: {
  readonly config: Pick<Config, 'issuer' | 'connections'>;
  readonly store: Store;
  readonly accounts: Accounts;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly log: Log;
  readonly fetch: Outbound['fetch'];
  readonly signOuts: Pick<SignOuts, 'signOut' | 'prepare' | 'written'>;
}): Connections {
  const { issuer } = config;
  const entries = new Map(config.connections.map((entry) => [entry.id, entry]));
  const attempts = createAttempts({ artifacts: store.artifacts, revocations: store.revocations, keyring, clock });
  const identities = createIdentities({ store: store.accounts, keyring, clock, signOuts });
  const sessions = createUpstreamSessions({ artifacts: store.artifacts, keyring, clock });
  const samlStates = createSamlStates({ catalogue: store.catalogue, keyring, clock, log, fetch, issuer });
  const carryOut = createInboundLogout({
    artifacts: store.artifacts,
    accounts: store.accounts,
    identities,
    sessions,
    signOuts,
    clock,
  });
  const oidc = new Map<string, OidcConnection>();
  const saml = new Map<string, SamlConnection>();
  for (const entry of entries.values()) {
    if (entry.type === 'oidc') oidc.set(entry.id, createOidcConnection({ entry, issuer, fetch, clock }));
    else {
      const stateOf = () => samlStates.of(entry);
      saml.set(entry.id, createSamlConnection({ entry, issuer, stateOf, clock }));
    }
  }
  const protocolOf = (id: string) => oidc.get(id) ?? saml.get(id);
  const domains = new Map(config.connections.flatMap(({ id, domains }) => domains.map((domain) => [domain, id])));

  const arrive = async (
    connectionId: string,
    state: string,
    ask: (attempt: Attempt) => Promise<Vouched | Refused>,
  ): Promise<Arrival> => {
    const attempt = await attempts.find(state);
    // A provider answers for itself alone: an answer to another's attempt is nobody's (RFC 9700 §4.4).
    if (attempt === null || attempt.connectionId !== connectionId) {
      return { refused: 'unknown-attempt', detail: 'no such attempt', startAgainAt: null };
    }
    const startAgainAt = attempt.continueAt.replace(/\/federation$/, '');
    const answer = await ask(attempt);
    if ('refused' in answer) return { ...answer, startAgainAt };
    const code = await attempts.answer(attempt, answer);
    return code === null
      ? { refused: 'unknown-attempt', detail: 'answered before, or ended meanwhile', startAgainAt }
      : { continueAt: attempt.continueAt, code };
  };

  return {
    list: () => [...entries.values()],
    settingsOf: (connectionId) => entries.get(connectionId) ?? null,
    homeOf(typed) {
      const [, domain] = /^[^@\s]*@([A-Za-z0-9.-]+)$/.exec(typed.trim()) ?? [];
      return domain === undefined ? null : (entries.get(domains.get(domain.toLowerCase()) ?? '') ?? null);
    },
    attempts,
    identities,
    sessions,
    samlStates,
    signIn: createFederatedSignIn({
      identities,
      accounts,
      revocations: store.revocations,
      settingsOf: (connectionId) => entries.get(connectionId) ?? null,
      upstreamSessions: sessions,
    }),
    async begin(order) {
      const protocol = protocolOf(order.connectionId);
      if (protocol === undefined) return { refused: 'unreachable', detail: 'no such connection' };
      const { attempt, cookie } = await attempts.begin(order);
      const departure = await protocol.depart(attempt);
      return 'refused' in departure ? departure : { departure, cookie };
    },
    oidcCallback(connectionId, query) {
      const states = new URLSearchParams(query).getAll('state');
      const [state = ''] = states.length === 1 ? states : [];
      const connection = oidc.get(connectionId);
      return arrive(connectionId, state, async (attempt) =>
        connection === undefined
          ? { refused: 'unreachable', detail: 'no such connection' }
          : connection.answer(attempt, query),
      );
    },
    samlResponse(connectionId, { SAMLResponse, RelayState }) {
      const connection = saml.get(connectionId);
      return arrive(connectionId, RelayState, async (attempt) =>
        connection === undefined
          ? { refused: 'unreachable', detail: 'no such connection' }
          : connection.answer(attempt, SAMLResponse),
      );
    },
    async backchannelLogout(connectionId, token) {
      const [connection, entry] = [oidc.get(connectionId), entries.get(connectionId)];
      if (connection === undefined || entry === undefined) return { kind: 'refused', why: 'no such connection' };
      const heard = await connection.hearLogout(token);
      if ('unavailable' in heard) return { kind: 'unavailable', why: heard.unavailable };
      if ('refused' in heard) return { kind: 'refused', why: heard.refused };
      const done = await carryOut(entry, heard);
      return done === 'done' ? { kind: 'done' } : { kind: 'refused', why: 'heard-before' };
    },
    async samlLogout(connectionId, message) {
      const [connection, entry] = [saml.get(connectionId), entries.get(connectionId)];
      if (connection === undefined || entry === undefined) return { kind: 'refused', why: 'no such connection' };
      const request = requestIn(message);
      // The provider's answer to a logout of ours: access had ended before it was asked, so there is nothing to do.
      if (request === 'answer') return { kind: 'finished' };
      if (request === null) return { kind: 'refused', why: 'neither a request nor a response' };
      const heard = await connection.hearLogout(request);
      if ('refused' in heard) return { kind: 'refused', why: heard.refused };
      // Heard before, it is answered again: the provider may not have had the answer.
      await carryOut(entry, heard);
      const answer = { inResponseTo: heard.id, relayState: heard.relayState, status: 'Success' } as const;
      const location = await connection.answerLogout(answer);
      return location === null ? { kind: 'finished' } : { kind: 'answer', location };
    },
    async serviceProviderMetadata(connectionId) {
      const connection = saml.get(connectionId);
      if (connection === undefined) throw new Error(`no SAML connection ${connectionId}`);
      return connection.serviceProviderMetadata();
    },
    async signOutUrl({ connectionId, logout }) {
      return logout === null ? null : ((await protocolOf(connectionId)?.signOutUrl(logout)) ?? null);
    },
    test: async (connectionId) => (await protocolOf(connectionId)?.test()) ?? [],
    certificates: async (connectionId) => (await saml.get(connectionId)?.certificates()) ?? [],
    async recordConfiguration() {
      const present = new Map((await store.catalogue.listConnections()).map((record) => [record.id, record]));
      for (const entry of entries.values()) {
        const record = present.get(entry.id);
        if (record?.status === 'active' && record.type === entry.type) continue;
        // Metadata that were fetched before it was taken out of the configuration may be of another age.
        const state = JSON.stringify(entry.type === 'saml' ? NOTHING : {});
        await store.catalogue.saveConnection({ id: entry.id, type: entry.type, state, createdAt: clock.now() });
      }
      for (const { id, status } of present.values()) {
        if (status !== 'active' || entries.has(id)) continue;
        const scope = { kind: 'connection', connectionId: id } as const;
        const reason = REASONS.connectionRemoved;
        const signOut = await signOuts.prepare({ scope, reason, actor: { kind: 'operator' } });
        await store.catalogue.deleteConnection(id, signOut);
        signOuts.written();
      }
    },
  };
}

/** The request in a logout message; or that it is an answer; null when it is neither, or both. */
function requestIn(message: SamlLogoutMessage): InboundLogout | 'answer' | null {
  if (message.binding === 'redirect') {
    const names = new Set(new URLSearchParams(message.query).keys());
    if (names.has('SAMLRequest')) return { binding: 'redirect', query: message.query };
    return names.has('SAMLResponse') ? 'answer' : null;
  }
  const { SAMLRequest, SAMLResponse, RelayState } = message.form;
  if (SAMLRequest !== undefined && SAMLResponse === undefined) {
    return { binding: 'post', message: SAMLRequest, relayState: RelayState };
  }
  return SAMLRequest === undefined && SAMLResponse !== undefined ? 'answer' : null;
}
