/** Where Clients hear: one loopback server whose paths are back-channel endpoints, with a ledger of its own. */
import { createServer, type ServerResponse } from 'node:http';
import { decodeJwt } from 'jose';

export type Heard = {
  readonly client: string;
  readonly token: string;
  readonly claims: Record<string, unknown>;
  readonly at: number;
};

/** What an endpoint does with a post: a status, or anything at all. */
export type Behaviour = number | ((response: ServerResponse, heard: Heard) => void);

export type Ears = {
  readonly url: string;
  readonly heard: Heard[];
  /** What this Client heard, oldest first. */
  by(client: string): readonly Heard[];
  behave(client: string, behaviour: Behaviour): void;
  close(): Promise<void>;
};

export async function listen(): Promise<Ears> {
  const heard: Heard[] = [];
  const behaviours = new Map<string, Behaviour>();
  const server = createServer((request, response) => {
    const client = (request.url ?? '/').slice(1);
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      const token = new URLSearchParams(body).get('logout_token') ?? '';
      const entry = { client, token, claims: decodeJwt(token), at: Date.now() };
      heard.push(entry);
      const behaviour = behaviours.get(client) ?? 200;
      if (typeof behaviour === 'number') response.writeHead(behaviour).end();
      else behaviour(response, entry);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    heard,
    by: (client) => heard.filter((entry) => entry.client === client),
    behave: (client, behaviour) => void behaviours.set(client, behaviour),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
