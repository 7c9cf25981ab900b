/**
 * What Curfew signs about its record: compact JWS (RFC 7515), Ed25519 (RFC 8037), one type for each kind of statement, so that
 * one is never taken for another.
 *
 * There is exactly one spelling of a statement by a key: header and payload are written in one order, and whatever decodes to
 * the same but is written differently is refused. It knows no store; the public key is all that is needed to check.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';

const STATEMENTS = {
  /** The record up to a place is this one: {seq, hash, at}. */
  checkpoint: 'curfew-audit-checkpoint+jwt',
  /** What comes up to a place was deleted in time, and ended with this hash: {through, hash, at}. */
  pruned: 'curfew-audit-pruned+jwt',
  /** What an exported file holds. */
  export: 'curfew-audit-export+jwt',
  /** The detail of an event had been forgotten with its account when it was exported: {id, commitment, at}. */
  erased: 'curfew-audit-erased+jwt',
} as const;

export type Statement = keyof typeof STATEMENTS;

/** The public half, as an auditor gets it. */
export type PublicJwk = {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
  readonly kid: string;
  readonly use: 'sig';
  readonly alg: 'EdDSA';
};

export type Signer = { readonly kid: string; sign(statement: Statement, payload: object): string };
export type Checker = {
  readonly kid: string;
  /** The payload; null when this key did not sign it as that. */
  check(statement: Statement, jws: unknown): Record<string, unknown> | null;
};

/** Named by its thumbprint (RFC 7638): a name that cannot be given to another key. */
export function publicJwk(x: string): PublicJwk {
  const kid = createHash('sha256')
    .update(JSON.stringify({ crv: 'Ed25519', kty: 'OKP', x }))
    .digest('base64url');
  return { kty: 'OKP', crv: 'Ed25519', x, kid, use: 'sig', alg: 'EdDSA' };
}

export function signer({ x, d }: { readonly x: string; readonly d: string }): Signer {
  const key = createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', x, d }, format: 'jwk' });
  const { kid } = publicJwk(x);
  return {
    kid,
    sign(statement, payload) {
      const input = `${encoded(headerOf(statement, kid))}.${encoded(JSON.stringify(payload))}`;
      return `${input}.${sign(null, Buffer.from(input), key).toString('base64url')}`;
    },
  };
}

/** Throws for what is no public Ed25519 key. */
export function checker(x: string): Checker {
  const key: KeyObject = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  const { kid } = publicJwk(x);
  return {
    kid,
    check(statement, jws) {
      if (typeof jws !== 'string') return null;
      const [header = '', payload = '', signature = '', ...rest] = jws.split('.');
      if (rest.length > 0 || header !== encoded(headerOf(statement, kid))) return null;
      if (!oneSpelling(payload) || !oneSpelling(signature)) return null;
      const signed = verify(null, Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url'));
      return signed ? (JSON.parse(decoded(payload)) as Record<string, unknown>) : null;
    },
  };
}

/** The statement again, of a payload as it was signed and its signature alone: a line of the log holds no token. */
export const rejoined = (statement: Statement, kid: string, payload: object, signature: string): string =>
  `${encoded(headerOf(statement, kid))}.${encoded(JSON.stringify(payload))}.${signature}`;

const headerOf = (statement: Statement, kid: string): string =>
  JSON.stringify({ alg: 'EdDSA', typ: STATEMENTS[statement], kid });

const encoded = (text: string): string => Buffer.from(text, 'utf8').toString('base64url');
const decoded = (text: string): string => Buffer.from(text, 'base64url').toString('utf8');
const oneSpelling = (text: string): boolean => Buffer.from(text, 'base64url').toString('base64url') === text;
