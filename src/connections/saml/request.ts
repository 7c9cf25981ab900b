/**
 * Sending somebody to sign in (SAML Profiles §4.1.3, AuthnRequest).
 *
 * Purpose: the signed request of one attempt, by the binding that the identity provider offers. Invariant: every request
 * is signed, whether or not it is wanted, and names where the answer goes; a forced one says so. It refuses to make up
 * identifiers: those of the attempt are the caller's, who must recognise them later.
 */
import { optionalAttribute, xml } from './markup.ts';
import { BINDING, NAMESPACE } from './names.ts';
import type { SamlIdentityProvider, ServiceProvider } from './party.ts';
import { redirectUrl } from './redirect.ts';
import { signXml } from './sign-xml.ts';

export type OutboundMessage =
  | { readonly binding: 'redirect'; readonly url: string }
  /** A form to be submitted as it is: its `action` and hidden `fields`. */
  | { readonly binding: 'post'; readonly action: string; readonly fields: Readonly<Record<string, string>> };

export type AuthnRequestNeeds = {
  readonly sp: ServiceProvider;
  readonly idp: SamlIdentityProvider;
  /** An XML ID: it does not begin with a digit. Unguessable, and used once. */
  readonly requestId: string;
  /** At most 80 bytes (SAML Bindings §3.4.3). Says nothing to anybody but the caller. */
  readonly relayState: string;
  /** Whether the person must prove who they are now, whatever session the provider remembers. */
  readonly forced: boolean;
  readonly now: Date;
};

/** A request to the identity provider: by redirect where it takes that, and by POST otherwise. */
export function authnRequest({ sp, idp, requestId, relayState, forced, now }: AuthnRequestNeeds): OutboundMessage {
  assertIdentifier(requestId);
  if (Buffer.byteLength(relayState) > 80) throw new RangeError('RelayState is longer than 80 bytes');
  const { redirect, post } = idp.sso;
  const destination = redirect ?? post;
  if (destination === undefined) throw new TypeError('the identity provider has nowhere to sign in');
  const { markup } = xml`<samlp:AuthnRequest xmlns:samlp="${NAMESPACE.protocol}" ID="${requestId}" Version="2.0"
 IssueInstant="${now.toISOString()}" Destination="${destination}"${optionalAttribute('ForceAuthn', forced ? 'true' : undefined)}
 ProtocolBinding="${BINDING.post}" AssertionConsumerServiceURL="${sp.acsUrl}"><saml:Issuer
 xmlns:saml="${NAMESPACE.assertion}">${sp.entityId}</saml:Issuer><samlp:NameIDPolicy AllowCreate="true"/></samlp:AuthnRequest>`;
  const { privateKeyPem } = sp.signing;
  if (redirect !== undefined) {
    const url = redirectUrl(redirect, { field: 'SAMLRequest', message: markup, relayState, privateKeyPem });
    return { binding: 'redirect', url };
  }
  const signed = Buffer.from(signXml(markup, sp.signing), 'utf8').toString('base64');
  return { binding: 'post', action: destination, fields: { SAMLRequest: signed, RelayState: relayState } };
}

/** An identifier that is none would make a request nobody can answer: a fault of ours. */
export function assertIdentifier(id: string): void {
  if (!/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(id)) throw new TypeError('an XML ID begins with a letter or an underscore');
}
