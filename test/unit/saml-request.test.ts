/** The requests that send somebody away to sign in. */
import { verify, X509Certificate } from 'node:crypto';
import { inflateRawSync } from 'node:zlib';

import { describe, expect, test } from 'vitest';

import { admitMessage, admitText, MESSAGE_LIMITS } from '../../src/connections/saml/guard.ts';
import { authnRequest, type AuthnRequestNeeds } from '../../src/connections/saml/request.ts';
import { signatureFault, verifyRoot } from '../../src/connections/saml/signature.ts';
import { stillScene } from '../support/saml-idp.ts';
import { ALGORITHM } from '../support/saml-sealing.ts';

const { sp, idp, now, requestId } = await stillScene();
const ask = (needs: Partial<AuthnRequestNeeds> = {}) =>
  authnRequest({ sp, idp, requestId, relayState: 'state/+ &', forced: false, now, ...needs });

const rootOf = (xml: string): Element => {
  const admitted = admitText(xml, MESSAGE_LIMITS);
  if ('refused' in admitted) throw new Error(admitted.detail);
  return admitted.root;
};

describe('by redirect', () => {
  const sent = (needs?: Partial<AuthnRequestNeeds>) => {
    const message = ask(needs);
    if (message.binding !== 'redirect') throw new Error(message.binding);
    const url = new URL(message.url);
    const xml = inflateRawSync(Buffer.from(url.searchParams.get('SAMLRequest') ?? '', 'base64')).toString('utf8');
    return { ...message, url, xml, root: rootOf(xml) };
  };

  test('preferred where it is offered, and well-formed by our own strict reading', () => {
    const { url, root } = sent();
    expect(`${url.origin}${url.pathname}`).toBe('https://idp.example.com/sso');
    expect(url.searchParams.get('RelayState')).toBe('state/+ &');
    expect(Object.fromEntries(Array.from(root.attributes, ({ name, value }) => [name, value]))).toEqual({
      'xmlns:samlp': 'urn:oasis:names:tc:SAML:2.0:protocol',
      ID: requestId,
      Version: '2.0',
      IssueInstant: now.toISOString(),
      Destination: 'https://idp.example.com/sso',
      ProtocolBinding: 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST',
      AssertionConsumerServiceURL: sp.acsUrl,
    });
    expect(Array.from(root.childNodes, ({ nodeName, textContent }) => [nodeName, textContent])).toEqual([
      ['saml:Issuer', sp.entityId],
      ['samlp:NameIDPolicy', ''],
    ]);
  });

  test('asks for a fresh authentication when forced, and only then', () => {
    expect(sent({ forced: true }).root.getAttribute('ForceAuthn')).toBe('true');
    expect(sent().root.hasAttribute('ForceAuthn')).toBe(false);
  });

  test('is signed over the raw query, as the other side checks it', () => {
    const [signed = '', signature = ''] = sent().url.search.slice(1).split('&Signature=');
    expect(signed).toMatch(/^SAMLRequest=[^&]+&RelayState=[^&]+&SigAlg=[^&]+$/);
    expect(decodeURIComponent(signed.split('SigAlg=')[1] ?? '')).toBe(ALGORITHM['rsa-sha256']);
    const { publicKey } = new X509Certificate(sp.signing.certificatePem);
    const isSigned = (text: string): boolean =>
      verify('sha256', Buffer.from(text), publicKey, Buffer.from(decodeURIComponent(signature), 'base64'));
    expect(isSigned(signed)).toBe(true);
    expect(isSigned(signed.replace('RelayState=', 'RelayState=x'))).toBe(false);
  });

  test('keeps the query the provider has in its address', () => {
    const { url } = sent({ idp: { ...idp, sso: { redirect: 'https://idp.example.com/sso?tenant=1&x' } } });
    expect(url.href).toMatch(/^https:\/\/idp\.example\.com\/sso\?tenant=1&x&SAMLRequest=/);
  });
});

describe('by POST', () => {
  const byPost = { idp: { ...idp, sso: { post: 'https://idp.example.com/sso-post' } } };

  test('where redirect is not offered: a form, with the request signed inside', () => {
    const message = ask({ ...byPost, forced: true });
    if (message.binding !== 'post') throw new Error(message.binding);
    expect(message.action).toBe('https://idp.example.com/sso-post');
    expect(Object.keys(message.fields)).toEqual(['SAMLRequest', 'RelayState']);
    expect(message.fields['RelayState']).toBe('state/+ &');
    const admitted = admitMessage(message.fields['SAMLRequest'] ?? '');
    if ('refused' in admitted) throw new Error(admitted.detail);
    const { root } = admitted;
    expect(signatureFault(root, [root])).toBeUndefined();
    expect(verifyRoot(admitted, [sp.signing.certificatePem], MESSAGE_LIMITS)).toMatchObject({
      root: expect.anything(),
    });
    expect(verifyRoot(admitted, idp.certificates, MESSAGE_LIMITS)).toMatchObject({ refused: 'bad-signature' });
    expect(root.getAttribute('Destination')).toBe('https://idp.example.com/sso-post');
    expect(root.getAttribute('ForceAuthn')).toBe('true');
    // The schema's order.
    expect(Array.from(root.childNodes, ({ nodeName }) => nodeName)).toEqual([
      'saml:Issuer',
      'ds:Signature',
      'samlp:NameIDPolicy',
    ]);
  });
});

test.each<[string, Partial<AuthnRequestNeeds>]>([
  ['an identifier that begins with a digit', { requestId: '1a' }],
  ['an identifier with quotes', { requestId: '_"' }],
  ['a RelayState of more than 80 bytes', { relayState: 'ä'.repeat(41) }],
  ['a provider with nowhere to go', { idp: { ...idp, sso: {} } }],
])('%s is a fault of ours', (_, needs) => {
  expect(() => ask(needs)).toThrow(/ID|RelayState|nowhere/);
});
