/**
 * What the company says in SAML: its metadata, that somebody is who they are, that a session is over. Nothing here is decided;
 * everything filled in is escaped by the template.
 */
import { randomBytes } from 'node:crypto';
import { SignedXml } from 'xml-crypto';
import type { Person } from '../people.ts';
import type { KeyPair } from './keys.ts';
import { xml } from './markup.ts';

const PROTOCOL = 'urn:oasis:names:tc:SAML:2.0:protocol';
const ASSERTION = 'urn:oasis:names:tc:SAML:2.0:assertion';
const METADATA = 'urn:oasis:names:tc:SAML:2.0:metadata';
const DSIG = 'http://www.w3.org/2000/09/xmldsig#';
const REDIRECT = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect';
const PERSISTENT = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent';
const BEARER = 'urn:oasis:names:tc:SAML:2.0:cm:bearer';
const PASSWORD = 'urn:oasis:names:tc:SAML:2.0:ac:classes:Password';
const SUCCESS = 'urn:oasis:names:tc:SAML:2.0:status:Success';
const EXCLUSIVE = 'http://www.w3.org/2001/10/xml-exc-c14n#';

const USABLE_SECONDS = 120;
/** For a clock of the application that is behind. */
const EARLIER_SECONDS = 10;

/** An XML ID does not begin with a digit (SAML Core §1.3.4). */
export const newId = (): string => `_${randomBytes(16).toString('hex')}`;

const at = (now: Date, seconds = 0): string => new Date(now.getTime() + seconds * 1000).toISOString();

export function metadataOf(about: {
  readonly entityId: string;
  readonly ssoUrl: string;
  readonly sloUrl: string;
  readonly keys: KeyPair;
}): string {
  const { entityId, ssoUrl, sloUrl, keys } = about;
  return xml`<md:EntityDescriptor xmlns:md="${METADATA}" entityID="${entityId}">
  <md:IDPSSODescriptor WantAuthnRequestsSigned="true" protocolSupportEnumeration="${PROTOCOL}">
    <md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="${DSIG}"><ds:X509Data
      ><ds:X509Certificate>${keys.certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
    <md:SingleLogoutService Binding="${REDIRECT}" Location="${sloUrl}"/>
    <md:NameIDFormat>${PERSISTENT}</md:NameIDFormat>
    <md:SingleSignOnService Binding="${REDIRECT}" Location="${ssoUrl}"/>
  </md:IDPSSODescriptor>
</md:EntityDescriptor>
`.markup;
}

type About = {
  readonly entityId: string;
  readonly requestId: string;
  readonly acsUrl: string;
  readonly audience: string;
  readonly person: Person;
  readonly sessionIndex: string;
  readonly authenticatedAt: Date;
  readonly now: Date;
};

export function assertionOf(about: About): string {
  const { entityId, requestId, acsUrl, audience, person, sessionIndex, authenticatedAt, now } = about;
  const attributes = Object.entries({ uid: person.username, mail: person.email, displayName: person.name });
  const until = at(now, USABLE_SECONDS);
  return xml`<saml:Assertion xmlns:saml="${ASSERTION}" ID="${newId()}" Version="2.0" IssueInstant="${at(now)}"
><saml:Issuer>${entityId}</saml:Issuer><saml:Subject><saml:NameID Format="${PERSISTENT}">${person.sub}</saml:NameID
><saml:SubjectConfirmation Method="${BEARER}"><saml:SubjectConfirmationData NotOnOrAfter="${until}" Recipient="${acsUrl}"
 InResponseTo="${requestId}"/></saml:SubjectConfirmation></saml:Subject><saml:Conditions
 NotBefore="${at(now, -EARLIER_SECONDS)}" NotOnOrAfter="${until}"><saml:AudienceRestriction><saml:Audience>${audience}</saml:Audience
></saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="${at(authenticatedAt)}"
 SessionIndex="${sessionIndex}"><saml:AuthnContext><saml:AuthnContextClassRef>${PASSWORD}</saml:AuthnContextClassRef
></saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement>${attributes.map(
    ([name, value]) =>
      xml`<saml:Attribute Name="${name}"><saml:AttributeValue>${value}</saml:AttributeValue></saml:Attribute>`,
  )}</saml:AttributeStatement></saml:Assertion>`.markup;
}

/** Around an assertion that is signed by itself already. */
export function responseOf({ entityId, requestId, acsUrl, now }: About, assertion: string): string {
  return xml`<samlp:Response xmlns:samlp="${PROTOCOL}" xmlns:saml="${ASSERTION}" ID="${newId()}" Version="2.0"
 IssueInstant="${at(now)}" Destination="${acsUrl}" InResponseTo="${requestId}"><saml:Issuer>${entityId}</saml:Issuer
><samlp:Status><samlp:StatusCode Value="${SUCCESS}"/></samlp:Status>${{ markup: assertion }}</samlp:Response>`.markup;
}

type Logout = { readonly id: string; readonly entityId: string; readonly destination: string; readonly now: Date };

export function logoutRequestOf(about: Logout & { readonly sub: string; readonly sessionIndex: string }): string {
  const { id, entityId, destination, now, sub, sessionIndex } = about;
  return xml`<samlp:LogoutRequest xmlns:samlp="${PROTOCOL}" xmlns:saml="${ASSERTION}" ID="${id}" Version="2.0"
 IssueInstant="${at(now)}" Destination="${destination}"><saml:Issuer>${entityId}</saml:Issuer><saml:NameID
 Format="${PERSISTENT}">${sub}</saml:NameID><samlp:SessionIndex>${sessionIndex}</samlp:SessionIndex></samlp:LogoutRequest>`
    .markup;
}

export function logoutResponseOf(about: Logout & { readonly inResponseTo: string }): string {
  const { id, entityId, destination, now, inResponseTo } = about;
  return xml`<samlp:LogoutResponse xmlns:samlp="${PROTOCOL}" xmlns:saml="${ASSERTION}" ID="${id}" Version="2.0"
 IssueInstant="${at(now)}" Destination="${destination}" InResponseTo="${inResponseTo}"><saml:Issuer>${entityId}</saml:Issuer
><samlp:Status><samlp:StatusCode Value="${SUCCESS}"/></samlp:Status></samlp:LogoutResponse>`.markup;
}

/** With a signature over its root, directly after the Issuer, where the schema wants it (SAML Core §5.4). */
export function signed(text: string, { privateKey }: KeyPair): string {
  const signer = new SignedXml({
    privateKey,
    signatureAlgorithm: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    canonicalizationAlgorithm: EXCLUSIVE,
  });
  signer.addReference({
    xpath: '/*',
    transforms: [`${DSIG}enveloped-signature`, EXCLUSIVE],
    digestAlgorithm: 'http://www.w3.org/2001/04/xmlenc#sha256',
  });
  const issuer = "/*/*[local-name(.)='Issuer']";
  signer.computeSignature(text, { prefix: 'ds', location: { reference: issuer, action: 'after' } });
  return signer.getSignedXml();
}
