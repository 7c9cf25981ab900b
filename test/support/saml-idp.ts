/**
 * A small SAML identity provider that signs whatever it is told to, well or badly. Everything it sends is made when it is
 * asked for, with real keys; a test twists one thing at a time, before or after signing.
 */
import { generateKeyPairSync, type KeyPairKeyObjectResult, randomBytes } from 'node:crypto';

import { afterEach, beforeEach, vi } from 'vitest';

import { certify, createKeyPair } from '../../src/connections/saml/certificate.ts';
import type { KeyPair, SamlIdentityProvider, ServiceProvider } from '../../src/connections/saml/party.ts';
import { encryptXml, type Encryption, type Signing, signXml } from './saml-sealing.ts';

/** Changes a document; throws where there is nothing to change, so that no twist is a no-op. */
export type Edit = (xml: string) => string;

export function replace(pattern: RegExp | string, by: string): Edit {
  return (xml) => {
    const changed = xml.replace(pattern, by);
    if (changed === xml) throw new Error(`nothing to replace: ${String(pattern)}`);
    return changed;
  };
}

/** Sets an attribute of the first element of that name, or takes it away. */
export function attribute(element: string, name: string, value: string | undefined): Edit {
  return (xml) => {
    const tag = new RegExp(`<${element}(?=[ />])[^>]*`).exec(xml)?.[0];
    if (tag === undefined) throw new Error(`no ${element}`);
    const bare = tag.replace(new RegExp(` ${name}="[^"]*"`), '');
    return replace(tag, value === undefined ? bare : bare.replace(/(\/?)$/, ` ${name}="${value}"$1`))(xml);
  };
}

/** One after the other. */
export const edits =
  (...all: readonly Edit[]): Edit =>
  (xml) =>
    all.reduce((edited, edit) => edit(edited), xml);

/** What to send, and what to do to it on the way. Without any of it: a Response that is beyond reproach. */
export type Recipe = {
  readonly signs?: 'both' | 'assertion' | 'response' | 'neither';
  readonly signing?: Signing;
  /** Of the Response, where it differs. */
  readonly responseSigning?: Signing;
  readonly assertion?: Edit;
  readonly signedAssertion?: Edit;
  readonly encrypt?: Encryption;
  readonly encrypted?: Edit;
  readonly response?: Edit;
  readonly signedResponse?: Edit;
};

export type SamlScene = {
  readonly sp: ServiceProvider;
  readonly idp: SamlIdentityProvider;
  /** Of the provider: the one it signs with, its successor, and one nobody trusts. */
  readonly keys: Record<'present' | 'next' | 'strange', KeyPair>;
  readonly now: Date;
  readonly requestId: string;
  /** An instant relative to `now`, as SAML writes it. */
  at(seconds: number): string;
  /** The XML of a Response. */
  respond(recipe?: Recipe): string;
  /** The XML of a logout message, unsigned. */
  logout(name: 'LogoutRequest' | 'LogoutResponse', edit?: Edit): string;
  signRoot(xml: string, signing?: Signing): string;
  encryptFor(xml: string, wrapper: string, encryption?: Encryption): string;
};

/**
 * Two parties who trust each other, and a day that stands still for the length of each test: the library reads the machine's
 * clock.
 */
export async function stillScene(): Promise<SamlScene> {
  const now = new Date('2031-05-20T09:30:00.250Z');
  beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now }));
  afterEach(() => void vi.useRealTimers());
  return samlScene(now);
}

async function samlScene(now: Date): Promise<SamlScene> {
  const issuer = 'https://id.example.org';
  const pair = (use: 'signing' | 'encryption', entityId: string) => createKeyPair({ entityId, use, now });
  const provider = 'https://idp.example.com/metadata';
  const entityId = `${issuer}/saml/corp/metadata`;
  const [ours, decryption, present, next, strange] = await Promise.all([
    pair('signing', entityId),
    pair('encryption', entityId),
    pair('signing', provider),
    pair('signing', provider),
    pair('signing', provider),
  ]);
  const sp = {
    entityId,
    acsUrl: `${issuer}/saml/corp/acs`,
    sloUrl: `${issuer}/saml/corp/slo`,
    signing: ours,
    decryption,
  };
  const idp = {
    entityId: provider,
    sso: { redirect: 'https://idp.example.com/sso', post: 'https://idp.example.com/sso-post' },
    slo: { redirect: 'https://idp.example.com/slo' },
    certificates: [present.certificatePem, next.certificatePem],
  };
  const requestId = `_${randomBytes(16).toString('hex')}`;
  const at = (seconds: number): string => new Date(now.getTime() + seconds * 1000).toISOString();
  const signRoot = (xml: string, signing: Signing = {}): string => signXml(xml, { keys: present, ...signing });
  const encryptFor = (xml: string, wrapper: string, encryption: Encryption = {}): string =>
    encryptXml(xml, wrapper, { certificatePem: decryption.certificatePem, ...encryption });
  const parts = { sp, idp, requestId, at };
  return {
    ...parts,
    keys: { present, next, strange },
    now,
    signRoot,
    encryptFor,
    logout: (name, edit = (xml) => xml) => edit(logoutXml(name, parts)),
    respond(recipe = {}) {
      const { signs = 'both', signing = {} } = recipe;
      const edit = (how: Edit | undefined, xml: string): string => how?.(xml) ?? xml;
      let assertion = edit(recipe.assertion, assertionXml(parts));
      if (signs === 'both' || signs === 'assertion') assertion = signRoot(assertion, signing);
      assertion = edit(recipe.signedAssertion, assertion);
      if (recipe.encrypt) assertion = encryptFor(assertion, 'saml:EncryptedAssertion', recipe.encrypt);
      assertion = edit(recipe.encrypted, assertion);
      let response = edit(recipe.response, responseXml(parts, assertion));
      if (signs === 'both' || signs === 'response') {
        response = signRoot(response, recipe.responseSigning ?? signing);
      }
      return edit(recipe.signedResponse, response);
    },
  };
}

/** A key of any kind in a certificate, as providers have them; signed by a key that is forgotten at once. */
export function certified({ privateKey, publicKey }: KeyPairKeyObjectResult, now: Date): KeyPair {
  const { privateKey: signer } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return {
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificatePem: certify(publicKey, signer, { entityId: 'https://idp.example.com/', use: 'signing', now }),
  };
}

export const toBase64 = (xml: string): string => Buffer.from(xml, 'utf8').toString('base64');

type Parts = Pick<SamlScene, 'sp' | 'idp' | 'requestId' | 'at'>;
const freshId = (): string => `_${randomBytes(16).toString('hex')}`;
const PROTOCOL =
  'xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"';

const assertionXml = ({ sp, idp, requestId, at }: Parts): string =>
  `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="${freshId()}" Version="2.0" IssueInstant="${at(0)}">` +
  `<saml:Issuer>${idp.entityId}</saml:Issuer>` +
  `<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">alice-at-idp</saml:NameID>` +
  `<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData` +
  ` NotOnOrAfter="${at(200)}" Recipient="${sp.acsUrl}" InResponseTo="${requestId}"/></saml:SubjectConfirmation></saml:Subject>` +
  `<saml:Conditions NotBefore="${at(-10)}" NotOnOrAfter="${at(250)}"><saml:AudienceRestriction>` +
  `<saml:Audience>${sp.entityId}</saml:Audience></saml:AudienceRestriction></saml:Conditions>` +
  `<saml:AuthnStatement AuthnInstant="${at(-1)}" SessionIndex="_session-1" SessionNotOnOrAfter="${at(3600)}"><saml:AuthnContext>` +
  `<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef>` +
  `</saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement>` +
  `<saml:Attribute Name="mail"><saml:AttributeValue>alice@example.com</saml:AttributeValue></saml:Attribute>` +
  `<saml:Attribute Name="groups"><saml:AttributeValue>staff</saml:AttributeValue><saml:AttributeValue>ops</saml:AttributeValue>` +
  `</saml:Attribute></saml:AttributeStatement></saml:Assertion>`;

const responseXml = ({ sp, idp, requestId, at }: Parts, assertion: string): string =>
  `<samlp:Response ${PROTOCOL} ID="${freshId()}" Version="2.0" IssueInstant="${at(0)}" Destination="${sp.acsUrl}"` +
  ` InResponseTo="${requestId}"><saml:Issuer>${idp.entityId}</saml:Issuer><samlp:Status>` +
  `<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>${assertion}</samlp:Response>`;

function logoutXml(name: 'LogoutRequest' | 'LogoutResponse', { sp, idp, requestId, at }: Parts): string {
  const isRequest = name === 'LogoutRequest';
  const content = isRequest
    ? `<saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">alice-at-idp</saml:NameID>` +
      `<samlp:SessionIndex>_session-1</samlp:SessionIndex>`
    : `<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>`;
  return (
    `<samlp:${name} ${PROTOCOL} ID="${freshId()}" Version="2.0" IssueInstant="${at(0)}" Destination="${sp.sloUrl}"` +
    ` ${isRequest ? `NotOnOrAfter="${at(200)}"` : `InResponseTo="${requestId}"`}>` +
    `<saml:Issuer>${idp.entityId}</saml:Issuer>${content}</samlp:${name}>`
  );
}
