/** A company with a SAML identity provider: it answers the AuthnRequests that it is really sent, and signs people out. */
import { randomBytes, sign } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';

import { createKeyPair } from '../../src/connections/saml/certificate.ts';
import type { Browser } from './browser.ts';
import { entityDescriptor } from './saml-metadata.ts';
import { signXml } from './saml-sealing.ts';

export type SamlPerson = {
  readonly nameId: string;
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
const XMLNS = 'xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"';
const freshId = (): string => `_${randomBytes(16).toString('hex')}`;

export async function samlCompany() {
  const keys = await createKeyPair({ entityId: ENTITY, use: 'signing', now: new Date() });
  const metadata = entityDescriptor({
    entityId: ENTITY,
    sso: { redirect: 'https://idp.example.com/sso' },
    slo: { redirect: 'https://idp.example.com/slo' },
    certificates: [keys.certificatePem],
  });
  const signed = (xml: string): string => signXml(xml, { keys });

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
        `<saml:Issuer>${ENTITY}</saml:Issuer><saml:Subject><saml:NameID Format="${PERSISTENT}">${person.nameId}</saml:NameID>` +
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
        `${assertion}</samlp:Response>`,
    );
  };

  return {
    metadata,
    read,
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
    /** A signed LogoutRequest, by redirect. */
    logoutRequest(sloUrl: string, { nameId, sessionIndex }: SamlPerson): string {
      const xml =
        `<samlp:LogoutRequest ${XMLNS} ID="${freshId()}" Version="2.0" IssueInstant="${new Date().toISOString()}" Destination="${sloUrl}">` +
        `<saml:Issuer>${ENTITY}</saml:Issuer><saml:NameID Format="${PERSISTENT}">${nameId}</saml:NameID>` +
        `<samlp:SessionIndex>${sessionIndex}</samlp:SessionIndex></samlp:LogoutRequest>`;
      const message = encodeURIComponent(deflateRawSync(xml).toString('base64'));
      const query = `SAMLRequest=${message}&RelayState=back&SigAlg=${encodeURIComponent(RSA_SHA256)}`;
      const signature = sign('sha256', Buffer.from(query), keys.privateKeyPem).toString('base64');
      return `${sloUrl}?${query}&Signature=${encodeURIComponent(signature)}`;
    },
  };
}
