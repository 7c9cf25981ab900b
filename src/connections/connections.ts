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
import { type Attempt, type Attempts, createAttempts, MOST_ANSWERS, type Order } from './attempts.ts';
import { createFederatedSignIn, type FederatedSignIn } from './federated-sign-in.ts';
import { createIdentities, type Identities } from './identities.ts';
import { createInboundLogout } from './inbound-logout.ts';
import { createOidcConnection, type OidcConnection } from './oidc-connection.ts';
import type { Departure, Finding, Refused } from './protocol.ts';
import { createSamlConnection, type SamlConnection } from './saml-connection.ts';
import type { SamlSides } from './saml-findings.ts';
import { createSamlSingleLogout, type SamlLogoutHeard, type SamlLogoutMessage } from './saml-single-logout.ts';
import { createSamlStates, NOTHING, type SamlStates } from './saml-states.ts';
import { createUpstreamAnswers, type UpstreamAnswers } from './upstream-answers.ts';
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
  readonly answers: Pick<UpstreamAnswers, 'find'>;
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
  samlLogout(connectionId: string, message: SamlLogoutMessage): Promise<SamlLogoutHeard>;
  serviceProviderMetadata(connectionId: string): Promise<string>;
  /** Where the person of this browser signs out of the provider itself; null where that cannot be done. */
  signOutUrl(upstream: UpstreamOf): Promise<string | null>;
  /** What an operator can find out without a person. */
  test(connectionId: string): Promise<readonly Finding[]>;
  /** Both sides of a SAML connection, without asking its provider; null where it is none. */
  samlSides(connectionId: string): Promise<SamlSides | null>;
  readonly samlStates: SamlStates;
  /** Records what the configuration lists, and removes through the door what it no longer lists. For the server's start. */
  recordConfiguration(): Promise<void>;
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
  const { artifacts, revocations, accounts: counters } = store;
  const attempts = createAttempts({ artifacts, counters, revocations, keyring, clock });
  const identities = createIdentities({
    store: store.accounts,
    revocations: store.revocations,
    keyring,
    clock,
    signOuts,
  });
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
  const answers = createUpstreamAnswers({ artifacts, keyring, clock });
  const singleLogout = createSamlSingleLogout({ carryOut, answers, log });
  const oidc = new Map<string, OidcConnection>();
  const saml = new Map<string, SamlConnection>();
  for (const entry of entries.values()) {
    if (entry.type === 'oidc') oidc.set(entry.id, createOidcConnection({ entry, issuer, fetch, clock }));
    else {
      const states = {
        of: () => samlStates.of(entry),
        kept: () => samlStates.kept(entry),
        refresh: () => samlStates.refresh(entry),
      };
      saml.set(entry.id, createSamlConnection({ entry, issuer, states, clock }));
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
    // Verifying is dear, and whoever was sent away with this attempt could send anything, over and over.
    const nth = await attempts.countAnswer(attempt);
    if (nth > MOST_ANSWERS) return { refused: 'unknown-attempt', detail: 'answered too often', startAgainAt };
    const answer = await ask(attempt);
    if ('refused' in answer) {
      // What was brought twice is refused for that, and the first is still being looked at.
      if (nth === MOST_ANSWERS && answer.refused !== 'unknown-attempt') await attempts.abandon(attempt);
      return { ...answer, startAgainAt };
    }
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
    answers,
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
      return arrive(connectionId, state, async (attempt) => {
        if (connection === undefined) return { refused: 'unreachable', detail: 'no such connection' };
        // A provider may take the second use of its code for theft, and take back what the first was given (RFC 6749 §4.1.2):
        // of a callback that is sent twice at once, neither would sign anybody in.
        const code = new URLSearchParams(query).get('code');
        if (code !== null && !(await attempts.claimCode(attempt, code))) {
          return { refused: 'unknown-attempt', detail: 'its code was brought before' };
        }
        return connection.answer(attempt, query);
      });
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
      return singleLogout(connection, entry, message);
    },
    async serviceProviderMetadata(connectionId) {
      const connection = saml.get(connectionId);
      if (connection === undefined) throw new Error(`no SAML connection ${connectionId}`);
      return connection.serviceProviderMetadata();
    },
    async signOutUrl({ connectionId, logout }) {
      if (logout === null) return null;
      return (await protocolOf(connectionId)?.signOutUrl(logout, () => answers.ask(connectionId))) ?? null;
    },
    test: async (connectionId) => (await protocolOf(connectionId)?.test()) ?? [],
    samlSides: async (connectionId) => (await saml.get(connectionId)?.sides()) ?? null,
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
