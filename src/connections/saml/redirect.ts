/**
 * Messages in a URL (HTTP-Redirect binding, SAML Bindings §3.4).
 *
 * Purpose: sign what leaves in a query string, and open what arrives in one. Invariant: a signature is verified over the
 * very octets of the request line, by name and in the binding's order, before anything is decoded or inflated; one
 * parameter has one spelling and one occurrence. It refuses to know what the message says.
 */
import { createSign } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';

import { admitBytes, type Admitted, decodeBase64, MAX_MESSAGE_BYTES, MESSAGE_LIMITS } from './guard.ts';
import { RSA_SHA256, SIGNATURE_METHODS } from './names.ts';
import { isRefusal, refuse, type SamlRefusal } from './refusal.ts';
import { keysFor, verifiesOctets } from './verify-octets.ts';

export type MessageField = 'SAMLRequest' | 'SAMLResponse';

/** A logout message is one or two thousand bytes. */
const MAX_INFLATED_BYTES = 64 * 1024;
const MAX_RELAY_STATE_LENGTH = 1024;
const PARAMETERS = ['SAMLRequest', 'SAMLResponse', 'RelayState', 'SigAlg', 'Signature'] as const;
type Parameter = (typeof PARAMETERS)[number];

/** A URL at `location` that carries the message, signed with RSA-SHA256. */
export function redirectUrl(
  location: string,
  {
    field,
    message,
    relayState,
    privateKeyPem,
  }: {
    readonly field: MessageField;
    readonly message: string;
    readonly relayState: string | undefined;
    readonly privateKeyPem: string;
  },
): string {
  const parameter = (name: Parameter, value: string): string => `${name}=${encodeURIComponent(value)}`;
  const signed = [
    parameter(field, deflateRawSync(message).toString('base64')),
    ...(relayState === undefined ? [] : [parameter('RelayState', relayState)]),
    parameter('SigAlg', RSA_SHA256),
  ].join('&');
  const signature = createSign('RSA-SHA256').update(signed).sign(privateKeyPem, 'base64');
  return `${location}${location.includes('?') ? '&' : '?'}${signed}&${parameter('Signature', signature)}`;
}

export type OpenedQuery = Admitted & { readonly relayState: string | undefined };

/**
 * The message in a query string, vouched for by one of the certificates.
 *
 * @param query as it came in the request line, without `?`; nothing may have parsed and rewritten it
 */
export function openQuery(
  query: string,
  { field, certificates }: { readonly field: MessageField; readonly certificates: readonly string[] },
): OpenedQuery | SamlRefusal {
  if (query.length > MAX_MESSAGE_BYTES) return refuse('too-large', `more than ${MAX_MESSAGE_BYTES} bytes of query`);
  const raw = splitQuery(query, field);
  if (isRefusal(raw)) return raw;
  const fault = signatureFault(raw, field, certificates);
  if (fault !== undefined) return fault;

  const relayState = decoded(raw.get('RelayState') ?? '');
  if (relayState === undefined || relayState.length > MAX_RELAY_STATE_LENGTH) {
    return refuse(
      'malformed-parameter',
      `RelayState is not encoded, or longer than ${MAX_RELAY_STATE_LENGTH} characters`,
    );
  }
  const deflated = decodeBase64(decoded(raw.get(field) ?? '') ?? '');
  if (deflated === undefined) return refuse('not-base64', 'the message is not base64');
  const inflated = inflate(deflated);
  if (isRefusal(inflated)) return inflated;
  const admitted = admitBytes(inflated, MESSAGE_LIMITS);
  return isRefusal(admitted) ? admitted : { ...admitted, relayState: raw.has('RelayState') ? relayState : undefined };
}

/** The raw value of each parameter. A second spelling of a name (`SAMLReques%74`) is a name we do not know. */
function splitQuery(query: string, field: MessageField): ReadonlyMap<string, string> | SamlRefusal {
  const raw = new Map<string, string>();
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=');
    const name = equals === -1 ? pair : pair.slice(0, equals);
    if (equals === -1 || !PARAMETERS.some((known) => known === name)) {
      return refuse('unexpected-parameter', 'the query has a parameter this binding does not know');
    }
    if (raw.has(name)) return refuse('duplicate-parameter', 'the query has a parameter twice');
    raw.set(name, pair.slice(equals + 1));
  }
  const other = field === 'SAMLRequest' ? 'SAMLResponse' : 'SAMLRequest';
  if (raw.has(other)) return refuse('unexpected-parameter', `the query has a ${other}`);
  return raw.has(field) ? raw : refuse('unexpected-message', `the query has no ${field}`);
}

function signatureFault(
  raw: ReadonlyMap<string, string>,
  field: MessageField,
  certificates: readonly string[],
): SamlRefusal | undefined {
  if (!raw.has('Signature') || !raw.has('SigAlg')) return refuse('unsigned', 'the message is not signed');
  const algorithm = decoded(raw.get('SigAlg') ?? '') ?? '';
  if (!SIGNATURE_METHODS.has(algorithm)) {
    return refuse('signature-algorithm', 'the query is signed with an unaccepted algorithm');
  }
  const signature = decodeBase64(decoded(raw.get('Signature') ?? '') ?? '');
  if (signature === undefined) return refuse('not-base64', 'the signature is not base64');
  const octets = [field, 'RelayState', 'SigAlg']
    .filter((name) => raw.has(name))
    .map((name) => `${name}=${raw.get(name) ?? ''}`)
    .join('&');
  const verified = keysFor(algorithm, certificates).some((key) =>
    verifiesOctets(algorithm, { key, octets, signature }),
  );
  return verified
    ? undefined
    : refuse('bad-signature', 'no certificate of the identity provider verifies the signature');
}

/** A value as a form would write it; nothing if its escapes are not UTF-8. */
function decoded(value: string): string | undefined {
  try {
    return decodeURIComponent(value.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

/** Stops while inflating, once there is too much: a bomb costs no more memory than a message. */
function inflate(deflated: Buffer): Buffer | SamlRefusal {
  try {
    return inflateRawSync(deflated, { maxOutputLength: MAX_INFLATED_BYTES });
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
      ? refuse('too-large', `the message inflates to more than ${MAX_INFLATED_BYTES} bytes`)
      : refuse('not-deflated', 'the message is not a DEFLATE stream');
  }
}
