/** Logout messages that are accepted, in both bindings, and those that we send. */
import { inflateRawSync } from 'node:zlib';
import { generateKeyPairSync, X509Certificate, verify } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import { logoutRequest, logoutResponse, type LogoutStatus } from '../../src/connections/saml/logout-outbound.ts';
import { type InboundLogout, verifyLogoutRequest, verifyLogoutResponse } from '../../src/connections/saml/logout.ts';
import type { SamlIdentityProvider } from '../../src/connections/saml/party.ts';
import { addSeconds } from '../../src/platform/clock.ts';
import { attribute, certified, edits, replace, stillScene, toBase64 } from '../support/saml-idp.ts';
import { type Algorithm, signedQuery } from '../support/saml-sealing.ts';

const scene = await stillScene();
const { sp, idp, keys, now, requestId } = scene;
const { privateKeyPem } = keys.present;

const asked = (message: InboundLogout, provider: SamlIdentityProvider = idp) =>
  verifyLogoutRequest({ sp, idp: provider, message, now });
const byRedirect = (xml: string, recipe: Partial<Parameters<typeof signedQuery>[1]> = {}): InboundLogout => ({
  binding: 'redirect',
  query: signedQuery(xml, { privateKeyPem, ...recipe }),
});
const byPost = (xml: string, relayState?: string): InboundLogout => ({
  binding: 'post',
  message: toBase64(scene.signRoot(xml)),
  relayState,
});
const request = scene.logout('LogoutRequest');

const ALICE = {
  id: expect.stringMatching(/^_[0-9a-f]{32}$/),
  issuer: idp.entityId,
  nameId: 'alice-at-idp',
  nameIdFormat: 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
  nameQualifier: undefined,
  spNameQualifier: undefined,
  sessionIndexes: ['_session-1'],
  notOnOrAfter: addSeconds(now, 260),
};

describe('a LogoutRequest', () => {
  test('by redirect says whose sessions end, and until when to remember it', () => {
    const message = byRedirect(request, { relayState: 'https://idp.example.com/done?a=b&c' });
    expect(asked(message)).toEqual({ ...ALICE, relayState: 'https://idp.example.com/done?a=b&c' });
    expect(asked(byRedirect(request))).toEqual({ ...ALICE, relayState: undefined });
  });

  test('by POST', () => {
    expect(asked(byPost(request, 'x'))).toEqual({ ...ALICE, relayState: 'x' });
    expect(asked(byPost(request))).toEqual({ ...ALICE, relayState: undefined });
  });

  test('is refused from the instant on that says until when to remember it', () => {
    for (const until of [request, attribute('samlp:LogoutRequest', 'NotOnOrAfter', undefined)(request)]) {
      const message = byRedirect(until);
      const first = asked(message);
      if ('refused' in first) throw new Error(first.detail);
      const later = (at: Date) => verifyLogoutRequest({ sp, idp, message, now: at });
      expect(later(addSeconds(first.notOnOrAfter, -1))).toMatchObject({ nameId: 'alice-at-idp' });
      expect(later(first.notOnOrAfter)).toMatchObject({ refused: 'expired' });
    }
  });

  test.each<Algorithm>(['rsa-sha256', 'rsa-sha384', 'rsa-sha512', 'rsa-pss'])(
    'with a query signed by %s',
    (algorithm) => {
      expect(asked(byRedirect(request, { algorithm }))).toMatchObject({ nameId: 'alice-at-idp' });
    },
  );

  test('with a query signed by ECDSA, where the provider has such a key beside the RSA one', () => {
    const pair = certified(generateKeyPairSync('ec', { namedCurve: 'P-256' }), now);
    const withBoth = { ...idp, certificates: [...idp.certificates, pair.certificatePem] };
    const message = byRedirect(request, { algorithm: 'ecdsa-sha256', privateKeyPem: pair.privateKeyPem });
    expect(asked(message, withBoth)).toMatchObject({ nameId: 'alice-at-idp' });
    expect(asked(message)).toMatchObject({ refused: 'bad-signature' });
  });

  test.each<Algorithm>(['rsa-sha256', 'rsa-sha512', 'rsa-pss'])('with XML signed by %s', (method) => {
    const message = toBase64(scene.signRoot(request, { method }));
    expect(asked({ binding: 'post', message })).toMatchObject({ nameId: 'alice-at-idp' });
  });

  test('signed with the second certificate, while keys roll over', () => {
    expect(asked(byRedirect(request, { privateKeyPem: keys.next.privateKeyPem }))).toMatchObject(ALICE);
    const message = toBase64(scene.signRoot(request, { keys: keys.next }));
    expect(asked({ binding: 'post', message })).toMatchObject(ALICE);
  });

  test('with several sessions, or with none, which means all', () => {
    const more = replace('</samlp:SessionIndex>', '$&<samlp:SessionIndex>_session-2</samlp:SessionIndex>');
    const none = replace(/<samlp:SessionIndex>.*<\/samlp:SessionIndex>/, '');
    expect(asked(byRedirect(more(request)))).toMatchObject({ sessionIndexes: ['_session-1', '_session-2'] });
    expect(asked(byRedirect(none(request)))).toMatchObject({ sessionIndexes: [] });
  });

  test('with Extensions, a Reason and qualifiers', () => {
    const edit = edits(
      attribute('samlp:LogoutRequest', 'Reason', 'urn:oasis:names:tc:SAML:2.0:logout:user'),
      replace('</saml:Issuer>', '$&<samlp:Extensions><x:Asynchronous xmlns:x="urn:x"/></samlp:Extensions>'),
      attribute('saml:NameID', 'NameQualifier', 'q'),
      attribute('saml:NameID', 'SPNameQualifier', 's'),
    );
    expect(asked(byRedirect(edit(request)))).toMatchObject({ nameQualifier: 'q', spNameQualifier: 's' });
  });

  test.each<Algorithm>(['aes256-gcm', 'aes128-cbc'])('with an EncryptedID by %s', (content) => {
    const sealed = (xml: string): string => {
      const [nameId = ''] = /<saml:NameID .*<\/saml:NameID>/.exec(xml) ?? [];
      const own = nameId.replace('<saml:NameID', '<saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"');
      return xml.replace(nameId, scene.encryptFor(own, 'saml:EncryptedID', { content }));
    };
    expect(asked(byRedirect(sealed(request)))).toMatchObject(ALICE);
    expect(asked(byPost(sealed(request)))).toMatchObject(ALICE);
  });
});

describe('a LogoutResponse', () => {
  const response = scene.logout('LogoutResponse');
  const answered = (message: InboundLogout) => verifyLogoutResponse({ sp, idp, message, now, requestId });

  test('in both bindings says how it went', () => {
    const done = { id: expect.any(String), issuer: idp.entityId, inResponseTo: requestId, status: ['Success'] };
    expect(answered(byRedirect(response, { field: 'SAMLResponse', relayState: 'r' }))).toEqual({
      ...done,
      relayState: 'r',
      notOnOrAfter: addSeconds(now, 360),
    });
    expect(answered(byPost(response))).toMatchObject(done);
  });

  test('says what went wrong, in words of ours', () => {
    const partly = replace(
      /(<samlp:StatusCode [^>]*)\/>/,
      '$1><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:PartialLogout"/></samlp:StatusCode>',
    );
    const strange = replace('status:Success', 'status:&lt;b&gt;');
    expect(answered(byPost(partly(response)))).toMatchObject({ status: ['Success', 'PartialLogout'] });
    expect(answered(byPost(strange(response)))).toMatchObject({ status: ['another'] });
  });
});

describe('what we send', () => {
  const open = (url: string) => {
    const { searchParams } = new URL(url);
    const message = searchParams.get('SAMLRequest') ?? searchParams.get('SAMLResponse') ?? '';
    return { xml: inflateRawSync(Buffer.from(message, 'base64')).toString('utf8'), searchParams };
  };
  /** As the other side checks it (SAML Bindings §3.4.4.1). */
  const isSigned = (url: string): boolean => {
    const query = url.slice(url.indexOf('?') + 1).replace(/^.*?(?=SAML(?:Request|Response)=)/, '');
    const [signed = '', signature = ''] = query.split('&Signature=');
    const { publicKey } = new X509Certificate(sp.signing.certificatePem);
    const bytes = Buffer.from(decodeURIComponent(signature), 'base64');
    return verify('sha256', Buffer.from(signed), publicKey, bytes);
  };
  const who = { nameId: 'al<i>ce & co', nameIdFormat: 'urn:f', nameQualifier: 'q"', spNameQualifier: undefined };
  const common = { sp, idp, id: '_1', now };
  const urlOf = (sent: { url: string } | { refused: string }): string => {
    if ('refused' in sent) throw new Error(sent.refused);
    return sent.url;
  };

  test('a LogoutRequest names the person and the session, signed', () => {
    const url = urlOf(logoutRequest({ ...common, relayState: 'r s', nameId: who, sessionIndex: '_s' }));
    expect(url).toMatch(/^https:\/\/idp\.example\.com\/slo\?SAMLRequest=/);
    expect(isSigned(url)).toBe(true);
    expect(isSigned(url.replace('r%20s', 'r%20t'))).toBe(false);
    const { xml, searchParams } = open(url);
    expect(searchParams.get('RelayState')).toBe('r s');
    expect(xml).toContain('Destination="https://idp.example.com/slo"');
    expect(xml).toContain('Format="urn:f" NameQualifier="q&quot;">al&lt;i&gt;ce &amp; co</saml:NameID>');
    expect(xml).toContain('<samlp:SessionIndex>_s</samlp:SessionIndex>');
    expect(open(urlOf(logoutRequest({ ...common, nameId: who, sessionIndex: undefined }))).xml).not.toContain(
      'SessionIndex',
    );
  });

  test('our own verifier accepts it, as the other side would', () => {
    const url = urlOf(logoutRequest({ ...common, nameId: who, sessionIndex: '_s' }));
    const them = { ...sp, sloUrl: 'https://idp.example.com/slo' };
    const us = { ...idp, entityId: sp.entityId, certificates: [sp.signing.certificatePem] };
    const message = { binding: 'redirect', query: url.split('?')[1] ?? '' } as const;
    expect(verifyLogoutRequest({ sp: them, idp: us, message, now })).toMatchObject({ ...who, sessionIndexes: ['_s'] });
  });

  test.each<[LogoutStatus, string[]]>([
    ['Success', ['Success']],
    ['PartialLogout', ['Success', 'PartialLogout']],
    ['Requester', ['Requester']],
    ['Responder', ['Responder']],
  ])('a LogoutResponse that says %s, to where the provider wants answers', (status, codes) => {
    const responseLocation = 'https://idp.example.com/slo/answers?tenant=1';
    const provider = { ...idp, slo: { ...idp.slo, responseLocation } };
    const url = urlOf(logoutResponse({ ...common, idp: provider, inResponseTo: '_theirs', status, relayState: 'r' }));
    expect(url.startsWith(`${responseLocation}&SAMLResponse=`)).toBe(true);
    expect(isSigned(url)).toBe(true);
    const them = { ...sp, sloUrl: responseLocation };
    const us = { ...idp, entityId: sp.entityId, certificates: [sp.signing.certificatePem] };
    const message = { binding: 'redirect', query: url.slice(responseLocation.length + 1) } as const;
    expect(verifyLogoutResponse({ sp: them, idp: us, message, now, requestId: '_theirs' })).toMatchObject({
      status: codes,
      relayState: 'r',
    });
  });

  test('nothing, to a provider that takes no logout messages', () => {
    const silent = { ...idp, slo: {} };
    expect(logoutRequest({ ...common, idp: silent, nameId: who, sessionIndex: undefined })).toEqual({
      refused: 'no-logout-endpoint',
    });
    expect(logoutResponse({ ...common, idp: silent, inResponseTo: '_1', status: 'Success' })).toEqual({
      refused: 'no-logout-endpoint',
    });
  });

  test('an identifier that is none is a fault of ours', () => {
    expect(() => logoutResponse({ ...common, id: '1', inResponseTo: '_1', status: 'Success' })).toThrow(TypeError);
  });
});
