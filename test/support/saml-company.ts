/** A company with a SAML identity provider: it answers the AuthnRequests that it is really sent, and signs people out. */
import { randomBytes, sign } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';

import { createKeyPair } from '../../src/connections/saml/certificate.ts';
import type { KeyPair } from '../../src/connections/saml/party.ts';
import type { Browser } from './browser.ts';
import { entityDescriptor } from './saml-metadata.ts';
import { encryptXml, signXml } from './saml-sealing.ts';

export type SamlPerson = {
  readonly nameId: string;
  /** Persistent, unless something else is said. */
  readonly nameIdFormat?: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** When they proved to the company who they are; now, for whoever is asked to. */
  authenticatedAt: Date;
  readonly sessionIndex: string;
};

/** What a browser was sent to the company with. */
export type Asked = {
  readonly requestId: string;
  readonly acsUrl: string;
  readonly audience: string;
  readonly forced: boolean;
};

const ENTITY = 'https://idp.example.com/metadata';
const RSA_SHA256 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256';
const PERSISTENT = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent';
const STATUS = 'urn:oasis:names:tc:SAML:2.0:status:';
const XMLNS = 'xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"';
const freshId = (): string => `_${randomBytes(16).toString('hex')}`;

export async function samlCompany({ home = 'https://idp.example.com' }: { readonly home?: string } = {}) {
  const newKeys = (): Promise<KeyPair> => createKeyPair({ entityId: ENTITY, use: 'signing', now: new Date() });
  let keys = await newKeys();
  let published = [keys];
  let encryptionCertificate: string | undefined;
  const signed = (xml: string): string => signXml(xml, { keys });
  /** For whoever it was told to encrypt to. */
  const sealed = (xml: string, wrapper: string): string =>
    encryptionCertificate === undefined
      ? xml
      : encryptXml(xml, wrapper, { certificatePem: encryptionCertificate, content: 'aes256-gcm' });

  const read = (location: URL): Asked => {
    const xml = inflateRawSync(Buffer.from(location.searchParams.get('SAMLRequest') ?? '', 'base64')).toString('utf8');
    const attribute = (name: string): string => new RegExp(`\\s${name}="([^"]*)"`).exec(xml)?.[1] ?? '';
    return {
      requestId: attribute('ID'),
      acsUrl: attribute('AssertionConsumerServiceURL'),
      audience: /<saml:Issuer[^>]*>([^<]*)</.exec(xml)?.[1] ?? '',
      forced: attribute('ForceAuthn') === 'true',
    };
  };

  const respond = ({ requestId, acsUrl, audience }: Asked, person: SamlPerson): string => {
    const at = (seconds: number): string => new Date(Date.now() + seconds * 1000).toISOString();
    const attributes = Object.entries(person.attributes)
      .map(
        ([name, value]) =>
          `<saml:Attribute Name="${name}"><saml:AttributeValue>${value}</saml:AttributeValue></saml:Attribute>`,
      )
      .join('');
    const assertion = signed(
      `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="${freshId()}" Version="2.0" IssueInstant="${at(0)}">` +
        `<saml:Issuer>${ENTITY}</saml:Issuer><saml:Subject>${nameIdXml(person)}` +
        `<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData` +
        ` NotOnOrAfter="${at(200)}" Recipient="${acsUrl}" InResponseTo="${requestId}"/></saml:SubjectConfirmation></saml:Subject>` +
        `<saml:Conditions NotBefore="${at(-10)}" NotOnOrAfter="${at(250)}"><saml:AudienceRestriction>` +
        `<saml:Audience>${audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions>` +
        `<saml:AuthnStatement AuthnInstant="${person.authenticatedAt.toISOString()}" SessionIndex="${person.sessionIndex}"><saml:AuthnContext>` +
        `<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext>` +
        `</saml:AuthnStatement><saml:AttributeStatement>${attributes}</saml:AttributeStatement></saml:Assertion>`,
    );
    return signed(
      `<samlp:Response ${XMLNS} ID="${freshId()}" Version="2.0" IssueInstant="${at(0)}" Destination="${acsUrl}" InResponseTo="${requestId}">` +
        `<saml:Issuer>${ENTITY}</saml:Issuer><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>` +
        `${sealed(assertion, 'saml:EncryptedAssertion')}</samlp:Response>`,
    );
  };

  const logoutRequestXml = (sloUrl: string, person: Leaving): string => {
    const named = sealed(nameIdXml(person), 'saml:EncryptedID');
    const session =
      person.sessionIndex === undefined ? '' : `<samlp:SessionIndex>${person.sessionIndex}</samlp:SessionIndex>`;
    return (
      `<samlp:LogoutRequest ${XMLNS} ID="${freshId()}" Version="2.0" IssueInstant="${new Date().toISOString()}" Destination="${sloUrl}">` +
      `<saml:Issuer>${ENTITY}</saml:Issuer>${named}${session}</samlp:LogoutRequest>`
    );
  };

  const logoutResponseXml = (location: URL, sloUrl: string, status: readonly string[] = ['Success']): string => {
    const code = status.reduceRight(
      (inner, word) => `<samlp:StatusCode Value="${STATUS}${word}">${inner}</samlp:StatusCode>`,
      '',
    );
    return (
      `<samlp:LogoutResponse ${XMLNS} ID="${freshId()}" Version="2.0" IssueInstant="${new Date().toISOString()}"` +
      ` Destination="${sloUrl}" InResponseTo="${read(location).requestId}"><saml:Issuer>${ENTITY}</saml:Issuer><samlp:Status>` +
      `${code}</samlp:Status></samlp:LogoutResponse>`
    );
  };

  /** A message in an address (SAML Bindings §3.4.4.1). */
  const signedRedirect = (to: string, field: string, xml: string, relayState: string | null): string => {
    const message = `${field}=${encodeURIComponent(deflateRawSync(xml).toString('base64'))}`;
    const state = relayState === null ? '' : `&RelayState=${encodeURIComponent(relayState)}`;
    const query = `${message}${state}&SigAlg=${encodeURIComponent(RSA_SHA256)}`;
    const signature = sign('sha256', Buffer.from(query), keys.privateKeyPem).toString('base64');
    return `${to}?${query}&Signature=${encodeURIComponent(signature)}`;
  };

  return {
    get metadata(): string {
      return entityDescriptor({
        entityId: ENTITY,
        sso: { redirect: `${home}/sso` },
        slo: { redirect: `${home}/slo` },
        certificates: published.map(({ certificatePem }) => certificatePem),
      }).replaceAll('Location="https://idp.example.com', `Location="${home}`);
    },
    /** What it signs with. */
    get keys(): KeyPair {
      return keys;
    },
    read,
    /** Encrypts assertions and names from now on, to what this service provider publishes for it. */
    encryptTo(serviceProviderMetadata: string): void {
      const certificate = /use="encryption">.*?<ds:X509Certificate>([^<]+)</s.exec(serviceProviderMetadata)?.[1];
      if (certificate === undefined) throw new Error('it publishes no certificate to encrypt to');
      this.encryptToCertificate(`-----BEGIN CERTIFICATE-----\n${certificate}\n-----END CERTIFICATE-----`);
    },
    encryptToCertificate(certificatePem: string): void {
      encryptionCertificate = certificatePem;
    },
    /** Publishes the next key beside the present one; what it resolves to signs with it from then on. */
    async announceNextKeys(): Promise<() => void> {
      const next = await newKeys();
      published = [...published, next];
      return () => void (keys = next);
    },
    /** Publishes the key it signs with alone. */
    retireOtherKeys(): void {
      published = [keys];
    },
    /** Signs with this key, whether or not it is published. Resolves to the one before. */
    signWith(other: KeyPair): KeyPair {
      const before = keys;
      keys = other;
      return before;
    },
    /** What the company's page posts, for somebody it was asked about at this address. */
    answer(
      location: URL,
      person: SamlPerson,
    ): { readonly acsUrl: string; readonly form: URLSearchParams; readonly asked: Asked } {
      const asked = read(location);
      if (asked.forced) person.authenticatedAt = new Date();
      const form = new URLSearchParams({
        SAMLResponse: Buffer.from(respond(asked, person)).toString('base64'),
        RelayState: location.searchParams.get('RelayState') ?? '',
      });
      return { acsUrl: asked.acsUrl, form, asked };
    },
    /** The same, posted by the browser that was sent there: across sites, so without cookies. */
    async sendBack(browser: Browser, location: URL, person: SamlPerson): Promise<Asked> {
      const { acsUrl, form, asked } = this.answer(location, person);
      const response = await fetch(acsUrl, { method: 'POST', body: form, redirect: 'manual' });
      const next = response.headers.get('location');
      if (next === null) throw new Error(`the answer was refused with ${response.status}: ${await response.text()}`);
      await browser.open(next);
      return asked;
    },
    /** The company's answer to a LogoutRequest of ours, as a browser brings it back: signed, with its RelayState. */
    logoutResponse(location: URL, sloUrl: string, status?: readonly string[]): string {
      const xml = logoutResponseXml(location, sloUrl, status);
      return signedRedirect(sloUrl, 'SAMLResponse', xml, location.searchParams.get('RelayState'));
    },
    /** The same, as a form to post. */
    logoutResponseForm(location: URL, sloUrl: string, status?: readonly string[]): URLSearchParams {
      const message = Buffer.from(signed(logoutResponseXml(location, sloUrl, status))).toString('base64');
      return new URLSearchParams({
        SAMLResponse: message,
        RelayState: location.searchParams.get('RelayState') ?? '',
      });
    },
    /** A signed LogoutRequest, by redirect. Without a session: of all that this person has. */
    logoutRequest(sloUrl: string, person: Leaving): string {
      return signedRedirect(sloUrl, 'SAMLRequest', logoutRequestXml(sloUrl, person), 'back');
    },
    /** The same, as a form to post. */
    logoutForm(sloUrl: string, person: Leaving): URLSearchParams {
      const message = Buffer.from(signed(logoutRequestXml(sloUrl, person))).toString('base64');
      return new URLSearchParams({ SAMLRequest: message, RelayState: 'back' });
    },
  };
}

type Leaving = Pick<SamlPerson, 'nameId' | 'nameIdFormat'> & { readonly sessionIndex?: string | undefined };

const nameIdXml = ({ nameId, nameIdFormat = PERSISTENT }: Pick<SamlPerson, 'nameId' | 'nameIdFormat'>): string =>
  `<saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" Format="${nameIdFormat}">${nameId}</saml:NameID>`;
