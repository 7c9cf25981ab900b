/** Where Clients hear: a few origins that answer 200 to everything, and count. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';

export type Sink = { readonly origins: readonly string[]; heard(): number; close(): Promise<void> };

const ORIGINS = 8;

/** Listens; over TLS when given a certificate for `localhost`. */
export async function openSink(tls?: { readonly key: string; readonly cert: string }): Promise<Sink> {
  let heard = 0;
  const listener: RequestListener = (request, response) => {
    request.resume().on('end', () => {
      heard += 1;
      response.writeHead(200, { 'content-length': '0' }).end();
    });
  };
  const servers: Server[] = [];
  const origins: string[] = [];
  for (let nth = 0; nth < ORIGINS; nth++) {
    const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    servers.push(server);
    origins.push(tls === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`);
  }
  return {
    origins,
    heard: () => heard,
    async close() {
      await Promise.all(
        servers.map((server) => {
          const closed = new Promise<void>((resolve) => server.close(() => resolve()));
          server.closeAllConnections();
          return closed;
        }),
      );
    },
  };
}
