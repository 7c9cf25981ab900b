/**
 * Tokens that a Client must refuse, each made of a genuine one with one thing wrong.
 *
 * What is wrong with the claims is signed by Curfew's own key, so that nothing but the claims can be the reason to refuse;
 * what is wrong with the signature is made here by hand, since no library would. Invariant: every token names whom the
 * genuine one names or nobody, and no audience, issuer or key that exists elsewhere. It refuses to know who is named and where tokens go.
 */
import {
  createHmac,
  createPublicKey,
  generateKeyPair,
  type JsonWebKey,
  type KeyObject,
  sign as signBytes,
} from 'node:crypto';
import { promisify } from 'node:util';

import { randomId } from '../platform/random.ts';

/** What can be wrong with a token. */
export type Bend =
  | 'unsigned'
  | 'bad-signature'
  | 'unknown-key'
  | 'public-key-as-secret'
  | 'client-secret-as-key'
  | 'expired'
  | 'other-audience'
  | 'other-issuer'
  | 'nonce'
  | 'no-events'
  | 'no-subject'
  | 'id-token';

type Claims = Record<string, unknown> & { readonly exp: number };
type Header = { readonly alg: string; readonly kid: string };

export type BendingTools = {
  /** Signs with Curfew's key of this id. */
  readonly sign: (token: { kid: string; typ: string; claims: Claims }) => Promise<string>;
  /** The published halves. */
  readonly publicKeys: () => { readonly keys: readonly { readonly kid?: string }[] };
  /** The Client's own secret, where it is known. */
  readonly secret: string | undefined;
};

const TYPE = 'logout+jwt';
/** Beyond the leeway of any clock that is set at all. */
const LONG_AGO_SECONDS = 86_400;

/** Bends a genuine token, which is of no further use. */
export async function bend(genuine: string, how: Bend, tools: BendingTools): Promise<string> {
  const { header, claims, signature } = opened(genuine);
  const { kid, alg } = header;
  const signed = (bent: Claims, typ = TYPE): Promise<string> => tools.sign({ kid, typ, claims: bent });
  const without = (...names: string[]): Claims =>
    Object.fromEntries(Object.entries(claims).filter(([name]) => !names.includes(name))) as Claims;
  switch (how) {
    case 'unsigned':
      return `${body({ alg: 'none', typ: TYPE }, claims)}.`;
    case 'bad-signature':
      return `${body({ alg, typ: TYPE, kid }, { ...claims, jti: randomId() })}.${signature}`;
    case 'unknown-key':
      return signedByStranger(alg, claims);
    case 'public-key-as-secret': {
      const published = tools.publicKeys().keys.find((each) => each.kid === kid);
      if (published === undefined) throw new Error('the key that signed a moment ago is not published any more');
      const key = createPublicKey({ key: published as JsonWebKey, format: 'jwk' });
      return hashed({ alg: 'HS256', typ: TYPE, kid }, claims, key.export({ type: 'spki', format: 'pem' }));
    }
    case 'client-secret-as-key':
      if (tools.secret === undefined) throw new Error('there is no secret to sign with');
      return hashed({ alg: 'HS256', typ: TYPE }, claims, tools.secret);
    case 'expired':
      return signed({ ...claims, iat: Number(claims['iat']) - LONG_AGO_SECONDS, exp: claims.exp - LONG_AGO_SECONDS });
    case 'other-audience':
      return signed({ ...claims, aud: `nobody-${randomId()}` });
    case 'other-issuer':
      // Of a domain that cannot exist (RFC 6761 §6.4).
      return signed({ ...claims, iss: 'https://another-issuer.invalid' });
    case 'nonce':
      return signed({ ...claims, nonce: randomId() });
    case 'no-events':
      return signed(without('events'));
    case 'no-subject':
      return signed(without('sub', 'sid'));
    case 'id-token':
      return signed(without('events', 'jti'), 'JWT');
  }
}

function opened(token: string): { header: Header; claims: Claims; signature: string } {
  const [header = '', claims = '', signature] = token.split('.');
  if (signature === undefined) throw new Error('a Logout Token is not a signed token');
  const read = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
  return { header: read(header) as Header, claims: read(claims) as Claims, signature };
}

const encoded = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');

const body = (header: object, claims: Claims): string => `${encoded(header)}.${encoded(claims)}`;

function hashed(header: object, claims: Claims, key: string | Buffer): string {
  const content = body(header, claims);
  return `${content}.${createHmac('sha256', key).update(content).digest('base64url')}`;
}

/** A key that nobody published, made anew each time: nothing that it signs could ever be believed. */
async function signedByStranger(alg: string, claims: Claims): Promise<string> {
  const content = body({ alg, typ: TYPE, kid: randomId() }, claims);
  const key = await strangersKey(alg);
  const signature =
    alg === 'EdDSA'
      ? signBytes(null, Buffer.from(content), key)
      : signBytes('sha256', Buffer.from(content), { key, dsaEncoding: 'ieee-p1363' });
  return `${content}.${signature.toString('base64url')}`;
}

const generate = promisify(generateKeyPair);

async function strangersKey(alg: string): Promise<KeyObject> {
  switch (alg) {
    case 'ES256':
      return (await generate('ec', { namedCurve: 'P-256' })).privateKey;
    case 'EdDSA':
      return (await generate('ed25519')).privateKey;
    case 'RS256':
      return (await generate('rsa', { modulusLength: 2048 })).privateKey;
    default:
      throw new Error(`there is no stranger's key for ${alg}`);
  }
}
