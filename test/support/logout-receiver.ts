/**
 * A back-channel endpoint that does everything right but one thing, on loopback. It shares no code with the drill that
 * looks for that thing, nor with the example app.
 */
import { createHmac, createPublicKey, type JsonWebKey, verify as verifyBytes } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type ReceiverFault =
  | 'accepts-unsigned'
  | 'accepts-changed'
  | 'accepts-strangers'
  | 'takes-public-key-for-secret'
  | 'takes-its-secret-for-key'
  | 'accepts-expired'
  | 'accepts-other-audience'
  | 'accepts-other-issuer'
  | 'accepts-nonce'
  | 'accepts-no-events'
  | 'accepts-no-subject'
  | 'accepts-id-token'
  | 'accepts-replay'
  | 'accepts-nothing-at-all'
  | 'answers-get'
  | 'is-cacheable'
  | 'refuses-everything'
  | 'refuses-whom-it-does-not-know'
  | 'refuses-by-401'
  | 'falls-over-at-expired'
  | 'redirects-bad'
  | 'redirects-good'
  | 'says-202-to-good'
  | 'hangs'
  | 'hangs-at-nonce'
  | 'sends-endless-bodies';

export type Setup = {
  readonly clientId: string;
  readonly issuer: () => string;
  readonly keys: () => Promise<{ readonly keys: readonly JsonWebKey[] }>;
  readonly secret: string;
  readonly fault?: ReceiverFault | undefined;
};

type Claims = Readonly<Record<string, unknown>>;

export type Receiver = {
  readonly url: string;
  /** Tokens that came, oldest first; null for a request without one. */
  readonly seen: (string | null)[];
  /** Claims of those that were accepted. */
  readonly accepted: Claims[];
  readonly methods: string[];
  close(): Promise<void>;
};

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

/** How a request is answered; anything but a status is done to the response itself. */
type Answer = number | ((response: ServerResponse) => void);

export async function startReceiver(setup: Setup): Promise<Receiver> {
  const { fault } = setup;
  const seen: (string | null)[] = [];
  const accepted: Claims[] = [];
  const methods: string[] = [];
  const used = new Set<unknown>();

  const judge = async (token: string | null): Promise<Answer> => {
    if (fault === 'hangs') return () => undefined;
    if (token === null) return fault === 'accepts-nothing-at-all' ? 200 : 400;
    const [head = '', content = '', signature = ''] = token.split('.');
    const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as Claims;
    const claims = JSON.parse(Buffer.from(content, 'base64url').toString()) as Claims;
    if (fault === 'hangs-at-nonce' && claims['nonce'] !== undefined) return () => undefined;
    const refusal = fault === 'refuses-by-401' ? 401 : fault === 'redirects-bad' ? redirect : 400;
    if (fault === 'refuses-everything') return refusal;
    if (!(await isSigned(setup, header, `${head}.${content}`, signature))) return refusal;
    const isIdToken = fault === 'accepts-id-token' && header['typ'] === 'JWT' && claims['events'] === undefined;
    if (header['typ'] !== 'logout+jwt' && !isIdToken) return refusal;
    if (claims['iss'] !== setup.issuer() && fault !== 'accepts-other-issuer') return refusal;
    if (claims['aud'] !== setup.clientId && fault !== 'accepts-other-audience') return refusal;
    if (Number(claims['exp']) * 1000 < Date.now()) {
      if (fault === 'falls-over-at-expired') return 500;
      if (fault !== 'accepts-expired') return refusal;
    }
    if (claims['nonce'] !== undefined && fault !== 'accepts-nonce') return refusal;
    const events = claims['events'] as Claims | undefined;
    if (typeof events?.[EVENT] !== 'object' && !isIdToken && fault !== 'accepts-no-events') return refusal;
    if (claims['sub'] === undefined && claims['sid'] === undefined && fault !== 'accepts-no-subject') return refusal;
    if (claims['jti'] === undefined && !isIdToken) return refusal;
    if (used.has(claims['jti']) && fault !== 'accepts-replay') return refusal;
    if (fault === 'refuses-whom-it-does-not-know') return refusal;
    used.add(claims['jti']);
    accepted.push(claims);
    if (fault === 'redirects-good') return redirect;
    if (fault === 'says-202-to-good') return 202;
    return 200;
  };

  const server = createServer((request, response) => {
    methods.push(request.method ?? '');
    if (request.method !== 'POST') {
      if (fault === 'hangs') return;
      return void response.writeHead(fault === 'answers-get' ? 200 : 405).end();
    }
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      const token = new URLSearchParams(body).get('logout_token');
      seen.push(token);
      if (fault !== 'is-cacheable') response.setHeader('cache-control', 'private, No-Store');
      void judge(token).then((answer) => {
        if (typeof answer === 'function') return answer(response);
        response.writeHead(answer);
        if (fault === 'sends-endless-bodies') return pour(response);
        response.end();
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/logout`,
    seen,
    accepted,
    methods,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function redirect(response: ServerResponse): void {
  response.writeHead(302, { location: '/login' }).end();
}

function pour(response: ServerResponse): void {
  const more = (): void => {
    while (!response.destroyed && response.write('x'.repeat(65_536)));
  };
  response.on('drain', more);
  more();
}

async function isSigned(
  { fault, keys, secret }: Setup,
  { alg, kid }: Claims,
  content: string,
  signature: string,
): Promise<boolean> {
  if (alg === 'none') return fault === 'accepts-unsigned';
  const published = (await keys()).keys;
  if (alg === 'HS256') {
    const made = (key: string | Buffer): boolean =>
      createHmac('sha256', key).update(content).digest('base64url') === signature;
    const key = published.find((each) => each['kid'] === kid);
    if (fault === 'takes-public-key-for-secret' && key !== undefined) {
      return made(createPublicKey({ key, format: 'jwk' }).export({ type: 'spki', format: 'pem' }));
    }
    return fault === 'takes-its-secret-for-key' && made(secret);
  }
  const key = published.find((each) => each['kid'] === kid);
  if (key === undefined) return fault === 'accepts-strangers';
  const [digest, bytes] = [alg === 'EdDSA' ? null : 'sha256', Buffer.from(signature, 'base64url')];
  const publicKey = createPublicKey({ key, format: 'jwk' });
  const stands = verifyBytes(digest, Buffer.from(content), { key: publicKey, dsaEncoding: 'ieee-p1363' }, bytes);
  return stands || fault === 'accepts-changed';
}
