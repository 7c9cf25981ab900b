/**
 * What we say about ourselves to one identity provider.
 *
 * Purpose: the metadata of a connection's service provider, for an operator to hand over. Invariant: it says what
 * `response.ts` and `logout.ts` demand and `request.ts` does, and nothing that they would refuse. It refuses to know other
 * connections.
 */
import { X509Certificate } from 'node:crypto';

import { type Markup, xml } from './markup.ts';
import { BINDING, CONTENT_ENCRYPTION, KEY_TRANSPORT, NAMESPACE, PERSISTENT_FORMAT } from './names.ts';
import type { ServiceProvider } from './party.ts';

/** An EntityDescriptor, to be served as `application/samlmetadata+xml`. */
export function serviceProviderMetadata({ entityId, acsUrl, sloUrl, signing, decryption }: ServiceProvider): string {
  const keys = [
    keyDescriptor('signing', signing.certificatePem, []),
    ...(decryption === undefined ? [] : [keyDescriptor('encryption', decryption.certificatePem, ENCRYPTION_METHODS)]),
  ];
  const { markup } =
    xml`<md:EntityDescriptor xmlns:md="${NAMESPACE.metadata}" xmlns:ds="${NAMESPACE.signature}" entityID="${entityId}">
  <md:SPSSODescriptor AuthnRequestsSigned="true" WantAssertionsSigned="true" protocolSupportEnumeration="${NAMESPACE.protocol}">
    ${keys}<md:SingleLogoutService Binding="${BINDING.redirect}" Location="${sloUrl}"/>
    <md:SingleLogoutService Binding="${BINDING.post}" Location="${sloUrl}"/>
    <md:NameIDFormat>${PERSISTENT_FORMAT}</md:NameIDFormat>
    <md:AssertionConsumerService Binding="${BINDING.post}" Location="${acsUrl}" index="0" isDefault="true"/>
  </md:SPSSODescriptor>
</md:EntityDescriptor>
`;
  return markup;
}

// Only ciphers that prove themselves: the others are read from providers that insist, not asked for.
const ENCRYPTION_METHODS = [
  ...[...CONTENT_ENCRYPTION].flatMap(([algorithm, { authenticated }]) => (authenticated ? [algorithm] : [])),
  KEY_TRANSPORT,
];

function keyDescriptor(use: 'signing' | 'encryption', certificatePem: string, methods: readonly string[]): Markup {
  const certificate = new X509Certificate(certificatePem).raw.toString('base64');
  const offered = methods.map((algorithm) => xml`<md:EncryptionMethod Algorithm="${algorithm}"/>`);
  return xml`<md:KeyDescriptor use="${use}"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>${certificate}</ds:X509Certificate
      ></ds:X509Data></ds:KeyInfo>${offered}</md:KeyDescriptor>
    `;
}
