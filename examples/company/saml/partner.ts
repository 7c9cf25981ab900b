/**
 * The one application that people enter by SAML, as its own metadata describe it: read when it is first needed, since it may
 * start after the company. What it did not register there is not its.
 */
import { X509Certificate, type KeyObject } from 'node:crypto';
import { attribute, child, children, parseXml, textOf } from './markup.ts';

export type ServiceProvider = {
  readonly name: string;
  readonly entityId: string;
  /** Where answers may be posted to; the first is the default. */
  readonly acsUrls: readonly string[];
  /** Where logout messages go, by redirect. */
  readonly sloUrl: string;
  readonly certificates: readonly KeyObject[];
};

export type Partner = {
  readonly name: string;
  /** Rejects while its metadata cannot be had. */
  find(): Promise<ServiceProvider>;
};

const PATIENCE_MS = 10_000;
const POST = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST';
const REDIRECT = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect';

export function createPartner({ name, metadataUrl }: { readonly name: string; readonly metadataUrl: URL }): Partner {
  let known: ServiceProvider | undefined;
  return {
    name,
    async find() {
      known ??= { name, ...(await read(metadataUrl)) };
      return known;
    },
  };
}

async function read(url: URL): Promise<Omit<ServiceProvider, 'name'>> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) });
  if (!answer.ok) throw new Error(`${url.href} answered with status ${answer.status}`);
  const entity = parseXml(await answer.text());
  const role = child(entity, 'SPSSODescriptor');
  const locations = (name: string, binding: string): string[] =>
    children(role, name)
      .filter((endpoint) => attribute(endpoint, 'Binding') === binding)
      .flatMap((endpoint) => attribute(endpoint, 'Location') ?? []);
  const certificates = children(role, 'KeyDescriptor')
    .filter((descriptor) => attribute(descriptor, 'use') !== 'encryption')
    .map((descriptor) => textOf(child(child(child(descriptor, 'KeyInfo'), 'X509Data'), 'X509Certificate')) ?? '')
    .map((certificate) => new X509Certificate(Buffer.from(certificate, 'base64')).publicKey);
  const entityId = attribute(entity, 'entityID');
  const acsUrls = locations('AssertionConsumerService', POST);
  const [sloUrl] = locations('SingleLogoutService', REDIRECT);
  if (entityId === undefined || sloUrl === undefined || acsUrls.length === 0 || certificates.length === 0) {
    throw new Error(`${url.href} does not describe an application that can be signed in to`);
  }
  return { entityId, acsUrls, sloUrl, certificates };
}
