/**
 * What an auditor has beside a record: the public key, and checkpoints that were kept elsewhere. Read from text, and refused in
 * words for people.
 */
import { type SignedPlace, signedPlace } from './follow.ts';
import { checker, type Checker, publicJwk, rejoined } from './signed.ts';

/** The key in a JWK, or in a JWK Set of one; why not, in words for people. */
export function readPublicKey(text: string): Checker | string {
  const parsed = json(text);
  const keys = parsed['keys'];
  const only: unknown = Array.isArray(keys) && keys.length === 1 ? keys[0] : parsed;
  const jwk = typeof only === 'object' && only !== null ? (only as Record<string, unknown>) : {};
  const { kty, crv, x, d, kid } = jwk;
  if (kty !== 'OKP' || crv !== 'Ed25519' || typeof x !== 'string') return 'it is not an Ed25519 public key as a JWK';
  if (d !== undefined) return 'it has a private key in it, and nobody needs that to check a record';
  if (kid !== undefined && kid !== publicJwk(x).kid)
    return 'its kid is not its thumbprint: it is another key than it says';
  try {
    return checker(x);
  } catch {
    return 'it is not an Ed25519 public key as a JWK';
  }
}

/**
 * Checkpoints, one a line: as lines of Curfew's log, others of which are passed over, or as they stand in events. Those that are
 * not signed with this key are counted.
 */
export function readCheckpoints(
  text: string,
  { kid, check }: Checker,
): { readonly places: readonly SignedPlace[]; readonly unsigned: number } {
  const statements = text.split('\n').flatMap((line) => statementIn(line, kid) ?? []);
  const places = statements.flatMap((jws) => signedPlace(check('checkpoint', jws)) ?? []);
  return { places, unsigned: statements.length - places.length };
}

function statementIn(line: string, kid: string): string | null {
  const trimmed = line.trim();
  if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(trimmed)) return trimmed;
  const { event, seq, head, signedAt, signature, facts } = json(trimmed);
  if (event === 'audit.checkpoint' && typeof signature === 'string') {
    return rejoined('checkpoint', kid, { seq, hash: head, at: signedAt }, signature);
  }
  const jws = typeof facts === 'object' && facts !== null && 'jws' in facts ? facts.jws : null;
  return typeof jws === 'string' ? jws : null;
}

function json(text: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
