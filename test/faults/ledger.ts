/** What Clients heard, written down by somebody who is not on trial: one server in the test's own process. */
import { createServer } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { decodeJwt, type JWTPayload } from 'jose';

type Entry = {
  readonly client: string;
  readonly claims: JWTPayload & { readonly sid?: string };
  readonly at: number;
  /** How many processes had been killed before the one that posted this was started. */
  readonly kills: number;
};

export type Ledger = {
  readonly url: string;
  readonly entries: readonly Entry[];
  /** To be called after a death: resolves when everything the dead had sent is written down. */
  noteKill(): Promise<void>;
  close(): Promise<void>;
};

export async function openLedger(): Promise<Ledger> {
  const entries: Entry[] = [];
  let kills = 0;
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      const claims = decodeJwt(new URLSearchParams(body).get('logout_token') ?? '');
      entries.push({ client: (request.url ?? '/').slice(1), claims, at: Date.now(), kills });
      response.writeHead(200).end();
    });
    // Cut off half-way by its sender's death: it was not heard.
    request.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const connections = (): Promise<number> =>
    new Promise((resolve, reject) => server.getConnections((fault, count) => (fault ? reject(fault) : resolve(count))));
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
    entries,
    async noteKill() {
      // Its sockets were closed by the system; once each has been read to its end, nothing of it is on its way.
      const deadline = performance.now() + 5000;
      while ((await connections()) > 0) {
        if (performance.now() > deadline) throw new Error('connections of a dead process stay open');
        await turn();
      }
      kills += 1;
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
