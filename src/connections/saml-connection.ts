/**
 * A connection to a SAML identity provider: from its metadata to a verified word of it.
 *
 * Invariant: certificates are taken from the operator's file, or from where the provider publishes them over https or
 * signed; a change of them is noticed and told. Curfew's own keys are made once for each connection and kept sealed.
 */
import type { SamlConnectionEntry } from '../config.ts';
import type { Clock } from '../platform/clock.ts';
import { randomId } from '../platform/random.ts';
import type { Attempt } from './attempts.ts';
import { mapClaims } from './claims.ts';
import type { Answered, ArrivalRefusal, Finding, UpstreamProtocol, UpstreamSignOut } from './protocol.ts';
import { examineSaml, type SamlSides, sidesOf } from './saml-findings.ts';
import { readSamlMetadata, type Refreshed, type SamlState } from './saml-metadata.ts';
import { logoutRequest, logoutResponse, type LogoutStatus } from './saml/logout-outbound.ts';
import { type InboundLogout, verifyLogoutRequest, verifyLogoutResponse } from './saml/logout.ts';
import type { SamlIdentityProvider, ServiceProvider } from './saml/party.ts';
import { isRefusal, type SamlRefusal } from './saml/refusal.ts';
import { authnRequest } from './saml/request.ts';
import { verifyResponse } from './saml/response.ts';
import { serviceProviderMetadata } from './saml/sp-metadata.ts';
import type { SignOutOutcome } from './upstream-answers.ts';

export type SamlConnection = UpstreamProtocol & {
  answer(attempt: Attempt, samlResponse: string): Promise<Answered>;
  hearLogout(
    message: InboundLogout,
  ): Promise<(UpstreamSignOut & { readonly relayState: string | undefined }) | { readonly refused: string }>;
  /** The answer to a logout request of ours, if it is one to this very request. */
  hearLogoutAnswer(
    message: InboundLogout,
    requestId: string,
  ): Promise<{ readonly outcome: SignOutOutcome } | { readonly refused: string }>;
  /** Where the browser goes back to, with how the logout went; null where the provider takes no answer by redirect. */
  answerLogout(answer: {
    readonly inResponseTo: string;
    readonly relayState: string | undefined;
    readonly status: LogoutStatus;
  }): Promise<string | null>;
  serviceProviderMetadata(): Promise<string>;
  /** Both sides as they are known here; nobody is asked. */
  sides(): Promise<SamlSides>;
};

const SAML_ATTRIBUTES = { username: 'uid', email: 'mail', name: 'displayName', groups: 'groups' };
const TRANSIENT = 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient';

export function createSamlConnection({
  entry,
  issuer,
  states,
  clock,
}: {
  readonly entry: SamlConnectionEntry;
  /** Curfew's own. */
  readonly issuer: string;
  readonly states: {
    /** With metadata that are fresh, where they can be had. */
    of(): Promise<SamlState>;
    /** As it stands; nothing is fetched. */
    kept(): Promise<SamlState>;
    refresh(): Promise<Refreshed>;
  };
  readonly clock: Clock;
}): SamlConnection {
  const base = `${issuer}/saml/${entry.id}`;
  const namedByAttribute = entry.claims.subject !== undefined;
  const mapping = {
    ...SAML_ATTRIBUTES,
    ...Object.fromEntries(Object.entries(entry.claims).filter(([, attribute]) => attribute !== undefined)),
  };

  const parties = async (): Promise<{ sp: ServiceProvider; idp: SamlIdentityProvider } | SamlRefusal> => {
    const { signing, decryption, metadata, failure } = await states.of();
    const sp = { entityId: `${base}/metadata`, acsUrl: `${base}/acs`, sloUrl: `${base}/slo`, signing, decryption };
    const document = entry.metadata ?? metadata;
    if (document === null) return { refused: 'metadata-not-fetched', detail: failure ?? 'not yet' };
    const parsed = readSamlMetadata(entry, document, clock.now());
    return isRefusal(parsed) ? parsed : { sp, idp: parsed.idp };
  };
  const unusable = ({ refused, detail }: SamlRefusal) =>
    ({ refused: 'unreachable', detail: `metadata: ${refused}: ${detail}` }) as const;

  return {
    async depart(attempt) {
      const known = await parties();
      if (isRefusal(known)) return unusable(known);
      const { requestId, state: relayState, forced } = attempt;
      const sent = authnRequest({ ...known, requestId, relayState, forced, now: clock.now() });
      return sent.binding === 'redirect'
        ? { kind: 'redirect', location: sent.url }
        : { kind: 'post', action: sent.action, fields: sent.fields };
    },
    async answer(attempt, samlResponse) {
      const known = await parties();
      if (isRefusal(known)) return unusable(known);
      const { requestId, requestedAt } = attempt;
      const verified = await verifyResponse({
        ...known,
        policy: { wantResponseSigned: entry.wantResponseSigned, wantAssertionsSigned: true, clockSkewSeconds: 60 },
        attempt: { requestId, requestedAt, forced: attempt.forced && entry.reauthentication === 'verified' },
        samlResponse,
        now: clock.now(),
      });
      if (isRefusal(verified)) {
        return { refused: arrivalRefusal(verified), detail: `${verified.refused}: ${verified.detail}` };
      }
      const subject = subjectOf(entry, verified);
      if (subject === null) {
        const detail = 'it names the person for this session alone, or not by the attribute in claims.subject';
        return { refused: 'not-verified', detail };
      }
      const { nameId, nameIdFormat, nameQualifier, spNameQualifier, sessionIndex, assertionId, issuer } = verified;
      return {
        connectionId: entry.id,
        subject,
        authenticatedAt: verified.authnInstant,
        upstreamSession: sessionIndex ?? null,
        logoutName: namedByAttribute ? nameId : null,
        claims: mapClaims({ claims: verified.attributes, mapping, vouchedFor: entry.trustEmail }),
        amr: [],
        logout: {
          kind: 'saml',
          nameId,
          nameIdFormat,
          nameQualifier: nameQualifier ?? null,
          spNameQualifier: spNameQualifier ?? null,
          sessionIndex: sessionIndex ?? null,
        },
        once: { issuer, id: assertionId, expiresAt: verified.notOnOrAfter },
      };
    },
    async hearLogout(message) {
      const known = await parties();
      if (isRefusal(known)) return { refused: known.refused };
      const heard = verifyLogoutRequest({ ...known, message, now: clock.now() });
      if (isRefusal(heard)) return { refused: `${heard.refused}: ${heard.detail}` };
      return {
        issuer: heard.issuer,
        id: heard.id,
        rememberUntil: heard.notOnOrAfter,
        subject: namedByAttribute ? null : heard.nameId,
        logoutName: namedByAttribute ? heard.nameId : null,
        upstreamSessions: heard.sessionIndexes,
        relayState: heard.relayState,
      };
    },
    async hearLogoutAnswer(message, requestId) {
      const known = await parties();
      if (isRefusal(known)) return { refused: known.refused };
      const heard = verifyLogoutResponse({ ...known, message, requestId, now: clock.now() });
      if (isRefusal(heard)) return { refused: `${heard.refused}: ${heard.detail}` };
      return { outcome: outcomeOf(heard.status) };
    },
    async answerLogout({ inResponseTo, relayState, status }) {
      const known = await parties();
      if (isRefusal(known)) return null;
      const answer = logoutResponse({
        ...known,
        id: `_${randomId()}`,
        inResponseTo,
        relayState,
        status,
        now: clock.now(),
      });
      return 'url' in answer ? answer.url : null;
    },
    async serviceProviderMetadata() {
      const { signing, decryption } = await states.kept();
      return serviceProviderMetadata({
        entityId: `${base}/metadata`,
        acsUrl: `${base}/acs`,
        sloUrl: `${base}/slo`,
        signing,
        decryption,
      });
    },
    async sides() {
      return sidesOf(entry, await states.kept(), clock.now());
    },
    async test(): Promise<readonly Finding[]> {
      const refreshed = await states.refresh();
      return examineSaml(entry, { state: await states.kept(), refreshed, now: clock.now() });
    },
    async signOutUrl(logout, question) {
      if (logout.kind !== 'saml') return null;
      const known = await parties();
      if (isRefusal(known)) return null;
      const { nameId, nameIdFormat, nameQualifier, spNameQualifier, sessionIndex } = logout;
      if (known.idp.slo.redirect === undefined) return null;
      const { requestId, relayState } = await question();
      const asked = logoutRequest({
        ...known,
        id: requestId,
        relayState,
        nameId: {
          nameId,
          nameIdFormat,
          nameQualifier: nameQualifier ?? undefined,
          spNameQualifier: spNameQualifier ?? undefined,
        },
        sessionIndex: sessionIndex ?? undefined,
        now: clock.now(),
      });
      return 'url' in asked ? asked.url : null;
    },
  };
}

/** A provider that could not tell everybody says so at the second level, whatever stands at the first (SAML Core §3.2.2.2). */
function outcomeOf(status: readonly string[]): SignOutOutcome {
  if (status.includes('PartialLogout')) return 'in-part';
  return status[0] === 'Success' ? 'everywhere' : 'refused';
}

/** What names the person for good; null where the provider gave a name for this session alone. */
function subjectOf(
  { claims }: SamlConnectionEntry,
  verified: { nameId: string; nameIdFormat: string; attributes: Readonly<Record<string, readonly string[]>> },
): string | null {
  if (claims.subject === undefined) return verified.nameIdFormat === TRANSIENT ? null : verified.nameId;
  const values = verified.attributes[claims.subject] ?? [];
  return values.length === 1 && values[0] !== undefined && values[0] !== '' ? values[0] : null;
}

function arrivalRefusal({ refused }: SamlRefusal): ArrivalRefusal {
  switch (refused) {
    case 'stale-authentication':
      return 'unprovable';
    case 'unsolicited':
      return 'unsolicited';
    case 'status-not-success':
      return 'declined';
    case 'expired-attempt':
      return 'unknown-attempt';
    default:
      return 'not-verified';
  }
}
