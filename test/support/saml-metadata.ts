/** Metadata of identity providers, as documents to twist. */
import { X509Certificate } from 'node:crypto';

import type { SamlIdentityProvider } from '../../src/connections/saml/party.ts';

const PROTOCOL = 'urn:oasis:names:tc:SAML:2.0:protocol';

export const keyDescriptor = (certificatePem: string, use?: string): string =>
  `<md:KeyDescriptor${use === undefined ? '' : ` use="${use}"`}><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">` +
  `<ds:X509Data><ds:X509Certificate>${new X509Certificate(certificatePem).raw.toString('base64').replace(/.{64}/g, '$&\n')}` +
  `</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`;

/** An EntityDescriptor with every certificate of the provider, as a root of its own. */
export const entityDescriptor = (idp: SamlIdentityProvider, entityId = idp.entityId): string =>
  `<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" ID="_m${entityId.replace(/\W/g, '')}" entityID="${entityId}">` +
  `<md:IDPSSODescriptor protocolSupportEnumeration="${PROTOCOL}">` +
  idp.certificates.map((certificate) => keyDescriptor(certificate, 'signing')).join('') +
  `<md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.com/slo"/>` +
  `<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.com/sso"/>` +
  `<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.example.com/sso-post"/>` +
  `</md:IDPSSODescriptor></md:EntityDescriptor>`;

export const entitiesDescriptor = (...entities: readonly string[]): string =>
  `<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" ID="_all">${entities.join('')}</md:EntitiesDescriptor>`;
