/**
 * How a provider may misbehave. A stand-in upstream does everything right but what its behaviour says, so that a test
 * shows one thing wrong at a time.
 */
import { createHmac } from 'node:crypto';
import { exportJWK, exportSPKI, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import type { Context } from 'koa';

export type Signature =
  | 'genuine'
  /** `alg: none`, and nothing after the last dot. */
  | 'none'
  /** HS256, keyed with the PEM of the key that everybody can read. */
  | 'public-key-as-secret'
  /** HS256, keyed with the client's secret: legal once (OpenID Connect Core §10.1), not accepted. */
  | 'client-secret'
  /** By a key of somebody else's, under the kid of the provider's. */
  | 'foreign-key'
  /** By a key of somebody else's that travels in the header. */
  | 'embedded-key'
  /** Genuine, over other claims. */
  | 'tampered';

export type Endpoint = 'discovery' | 'jwks' | 'authorization' | 'token' | 'userinfo';
/** A status with no content, a whole answer, or none until the provider stops. */
export type Outage = number | 'hangs' | { readonly status: number; readonly type?: string; readonly body: string };

type Claims = Record<string, unknown>;
export type Behaviour = {
  /** What an ID Token says, before it is signed. */
  readonly idToken?: (claims: Claims) => Claims;
  /** What its header says, before it is signed. */
  readonly idTokenHeader?: (header: Claims) => Claims;
  readonly signature?: Signature;
  /** The whole answer of the token endpoint. */
  readonly token?: (answer: Claims) => Claims;
  /** Where a browser is sent back to. */
  readonly callback?: (url: URL) => URL;
  /** `ignored`: an old session is good enough, and says how old it is. */
  readonly freshness?: 'heeded' | 'ignored';
  readonly userInfo?: (claims: Claims) => Claims;
  readonly discovery?: (metadata: Claims) => Claims;
  readonly down?: Partial<Record<Endpoint, Outage>>;
};

export type Keys = Awaited<ReturnType<typeof createKeys>>;
type Key = { readonly kid: string; readonly privateKey: CryptoKey; readonly publicKey: CryptoKey; readonly jwk: JWK };

const ALG = 'ES256';

/** The provider's keys: the last one signs, and those that are published are known to everybody. */
export async function createKeys() {
  let nth = 0;
  const generate = async (): Promise<Key> => {
    const { privateKey, publicKey } = await generateKeyPair(ALG, { extractable: true });
    const kid = `key-${(nth += 1)}`;
    return { kid, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: ALG, use: 'sig' } };
  };
  const foreign = await generate();
  let current = await generate();
  let published = [current];

  return {
    /** For the library to start with; it signs, and everything is signed anew. */
    first: { ...(await exportJWK(current.privateKey)), kid: current.kid, alg: ALG, use: 'sig' },
    publicJwk: () => current.jwk,
    published: () => ({ keys: published.map(({ jwk }) => jwk) }),
    /** A new key signs from now on. `keepOld`: its predecessors stay published. */
    async rotate({ keepOld = true } = {}) {
      current = await generate();
      published = keepOld ? [...published, current] : [current];
    },
    /** Any claims and header at all, under the genuine signature. */
    sign: (claims: Claims, header: Claims = {}) => sign(claims, header, current),

    async signAs(signature: Signature, claims: Claims, header: Claims, clientSecret: string): Promise<string> {
      const parts = (alg: string, content = claims): string =>
        `${encode({ ...header, alg, kid: current.kid })}.${encode(content)}`;
      const hmac = (secret: string): string =>
        `${parts('HS256')}.${createHmac('sha256', secret).update(parts('HS256')).digest('base64url')}`;
      switch (signature) {
        case 'genuine':
          return sign(claims, header, current);
        case 'none':
          return `${parts('none')}.`;
        case 'public-key-as-secret':
          return hmac(await exportSPKI(current.publicKey));
        case 'client-secret':
          return hmac(clientSecret);
        case 'foreign-key':
          return sign(claims, { ...header, kid: current.kid }, foreign);
        case 'embedded-key':
          return sign(claims, { ...header, kid: undefined, jwk: foreign.jwk }, foreign);
        case 'tampered': {
          const [head, , end] = (await sign(claims, header, current)).split('.');
          return `${head}.${encode({ ...claims, sub: 'somebody-else' })}.${end}`;
        }
      }
    },
  };
}

async function sign(claims: Claims, header: Claims, { privateKey, kid }: Key): Promise<string> {
  const demands = Array.isArray(header['crit']) ? header['crit'] : [];
  return new SignJWT(claims as JWTPayload)
    .setProtectedHeader({ alg: ALG, kid, ...header })
    .sign(privateKey, { crit: Object.fromEntries(demands.map((name) => [name, true])) });
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  '/.well-known/openid-configuration': 'discovery',
  '/jwks': 'jwks',
  '/auth': 'authorization',
  '/token': 'token',
  '/me': 'userinfo',
};
export const endpointOf = (path: string): Endpoint | undefined => ENDPOINTS[path];

export function answerWith(ctx: Context, outage: Exclude<Outage, 'hangs'>): void {
  const {
    status,
    type = 'application/json',
    body,
  } = typeof outage === 'number' ? { status: outage, body: '' } : outage;
  ctx.status = status;
  ctx.type = type;
  ctx.body = body;
}

/** For a behaviour that leaves something out. */
export const without =
  (...names: string[]) =>
  (all: Claims): Claims =>
    Object.fromEntries(Object.entries(all).filter(([name]) => !names.includes(name)));
