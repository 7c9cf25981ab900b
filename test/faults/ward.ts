/** A Client's back-channel endpoint with an origin of its own, and every way to misbehave. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createPlainServer, type Socket } from 'node:net';
import { decodeJwt } from 'jose';

export type Illness =
  | 'none'
  | 'answers 500'
  | 'answers 429'
  | 'answers 400'
  | 'redirects'
  | 'hangs'
  | 'never ends'
  | 'never ends its 500'
  | 'closes the socket'
  | 'speaks garbage'
  | 'huge headers'
  | 'refuses connections';

export type Patient = {
  readonly url: string;
  /** When it heard what it answered with 200, as `performance.now()`. */
  readonly told: { readonly at: number; readonly jti: string }[];
  /** Posts that arrived, however they were met. */
  posts: number;
  catch(illness: Illness): Promise<void>;
  close(): Promise<void>;
};

export const RETRY_AFTER_SECONDS = 7;

/** `elsewhere`: where the redirecting ones point. */
export async function admit(elsewhere: string): Promise<Patient> {
  let illness: Illness = 'none';
  let port = 0;
  let server: Server | undefined;
  const serve = async (): Promise<void> => {
    server = createServer((request, response) => {
      const { socket } = request;
      request.on('error', () => {});
      read(request, (token) => {
        patient.posts += 1;
        if (illness === 'none') patient.told.push({ at: performance.now(), jti: decodeJwt(token).jti ?? '' });
        suffer(illness, response, socket, elsewhere);
      });
    });
    const opened = server;
    await new Promise<void>((resolve, reject) => opened.once('error', reject).listen(port, '127.0.0.1', resolve));
    const address = opened.address();
    if (typeof address === 'object' && address !== null) ({ port } = address);
  };
  const close = async (): Promise<void> => {
    const closing = server;
    server = undefined;
    if (closing === undefined) return;
    const closed = new Promise<void>((resolve) => closing.close(() => resolve()));
    closing.closeAllConnections();
    await closed;
  };
  const patient: Patient = {
    url: '',
    told: [],
    posts: 0,
    async catch(next) {
      illness = next;
      if (next === 'refuses connections') await close();
      else if (server === undefined) await serve();
    },
    close,
  };
  await serve();
  return Object.assign(patient, { url: `http://127.0.0.1:${port}/logout` });
}

function suffer(illness: Illness, response: ServerResponse, socket: Socket, elsewhere: string): void {
  switch (illness) {
    case 'none':
      return void response.writeHead(200).end();
    case 'answers 500':
      return void response.writeHead(500).end('it hurts');
    case 'answers 429':
      return void response.writeHead(429, { 'Retry-After': String(RETRY_AFTER_SECONDS) }).end();
    case 'answers 400':
      return void response.writeHead(400).end();
    case 'redirects':
      return void response.writeHead(302, { Location: elsewhere }).end();
    case 'hangs':
    case 'refuses connections':
      return;
    case 'never ends':
    case 'never ends its 500': {
      response.writeHead(illness === 'never ends' ? 200 : 500);
      const more = (): void => {
        if (response.destroyed) return;
        if (response.write(Buffer.alloc(16_384, 'x'))) setImmediate(more);
        else response.once('drain', more);
      };
      return more();
    }
    case 'closes the socket':
      return void socket.destroy();
    case 'speaks garbage':
      return void socket.end('\u0000\u0001this is no HTTP\r\n\r\n');
    case 'huge headers':
      return void socket.end(`HTTP/1.1 200 OK\r\nX-Much: ${'x'.repeat(1_000_000)}\r\n\r\n`);
  }
}

function read(request: IncomingMessage, done: (token: string) => void): void {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (chunk: string) => (body += chunk));
  request.on('end', () => done(new URLSearchParams(body).get('logout_token') ?? ''));
}

/** A port where TLS is expected and nonsense is spoken. */
export async function babble(): Promise<{ url: string; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createPlainServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.write('SSH-2.0-not-what-you-came-for\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    url: `https://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/logout`,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
