/**
 * Logout messages to an identity provider, by redirect (SAML Profiles §4.4).
 *
 * Purpose: ask a provider to end somebody's session, and answer one that asked us. Invariant: every message is signed. A
 * NameID goes back exactly as it came, qualifiers and all, or the provider would not know whom we mean. It refuses to know
 * whether anybody was signed out: the caller says so.
 */
import { optionalAttribute, xml } from './markup.ts';
import type { NameId } from './name-id.ts';
import { NAMESPACE, STATUS_PREFIX } from './names.ts';
import type { SamlIdentityProvider, ServiceProvider } from './party.ts';
import { redirectUrl } from './redirect.ts';
import { assertIdentifier } from './request.ts';

type Outbound = {
  readonly sp: ServiceProvider;
  readonly idp: SamlIdentityProvider;
  /** An XML ID of the caller's. */
  readonly id: string;
  readonly relayState?: string | undefined;
  readonly now: Date;
};

/** The provider takes no logout messages by redirect. */
export type NowhereToSend = { readonly refused: 'no-logout-endpoint' };

/** How a logout that we were asked for went. `PartialLogout`: here it did, but not at everybody who was to be told. */
export type LogoutStatus = 'Success' | 'PartialLogout' | 'Requester' | 'Responder';

/** Where to send a browser so that the provider signs somebody out. */
export function logoutRequest({
  sp,
  idp,
  id,
  relayState,
  now,
  nameId,
  sessionIndex,
}: Outbound & { readonly nameId: NameId; readonly sessionIndex: string | undefined }):
  { readonly url: string } | NowhereToSend {
  assertIdentifier(id);
  const destination = idp.slo.redirect;
  if (destination === undefined) return { refused: 'no-logout-endpoint' };
  const qualifiers = [
    optionalAttribute('NameQualifier', nameId.nameQualifier),
    optionalAttribute('SPNameQualifier', nameId.spNameQualifier),
  ];
  const session =
    sessionIndex === undefined ? undefined : xml`<samlp:SessionIndex>${sessionIndex}</samlp:SessionIndex>`;
  const { markup } = xml`<samlp:LogoutRequest xmlns:samlp="${NAMESPACE.protocol}" xmlns:saml="${NAMESPACE.assertion}"
 ID="${id}" Version="2.0" IssueInstant="${now.toISOString()}" Destination="${destination}"><saml:Issuer>${sp.entityId}</saml:Issuer
><saml:NameID Format="${nameId.nameIdFormat}"${qualifiers}>${nameId.nameId}</saml:NameID>${session}</samlp:LogoutRequest>`;
  const { privateKeyPem } = sp.signing;
  return { url: redirectUrl(destination, { field: 'SAMLRequest', message: markup, relayState, privateKeyPem }) };
}

/** Where to send a browser back to, with how the logout went. `relayState` is the one the request came with. */
export function logoutResponse({
  sp,
  idp,
  id,
  relayState,
  now,
  inResponseTo,
  status,
}: Outbound & { readonly inResponseTo: string; readonly status: LogoutStatus }):
  { readonly url: string } | NowhereToSend {
  assertIdentifier(id);
  const destination = idp.slo.responseLocation ?? idp.slo.redirect;
  if (destination === undefined) return { refused: 'no-logout-endpoint' };
  const { markup } = xml`<samlp:LogoutResponse xmlns:samlp="${NAMESPACE.protocol}" xmlns:saml="${NAMESPACE.assertion}"
 ID="${id}" Version="2.0" IssueInstant="${now.toISOString()}" Destination="${destination}"
 InResponseTo="${inResponseTo}"><saml:Issuer>${sp.entityId}</saml:Issuer><samlp:Status>${statusCode(status)}</samlp:Status
></samlp:LogoutResponse>`;
  const { privateKeyPem } = sp.signing;
  return { url: redirectUrl(destination, { field: 'SAMLResponse', message: markup, relayState, privateKeyPem }) };
}

/** PartialLogout is a second-level code (SAML Core §3.2.2.2): our own session did end. */
function statusCode(status: LogoutStatus) {
  const code = (word: LogoutStatus): string => `${STATUS_PREFIX}${word}`;
  return status === 'PartialLogout'
    ? xml`<samlp:StatusCode Value="${code('Success')}"><samlp:StatusCode Value="${code(status)}"/></samlp:StatusCode>`
    : xml`<samlp:StatusCode Value="${code(status)}"/>`;
}
