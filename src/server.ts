/**
 * The server: takes the port, composes the house, listens, and stops cleanly.
 *
 * The port comes first and everything else after, so that a port in use, a wrong configuration or a broken keyring is one
 * clear message, and nothing has been written.
 */
import { createServer, type RequestListener, type Server } from 'node:http';

import { composeCore, composeWeb, type Seams } from './compose.ts';
import type { Config } from './config.ts';
import { sleep, systemClock } from './platform/clock.ts';
import { KeyringProblem } from './platform/keyring.ts';
import { createLog, type Log } from './platform/log.ts';
import { formatProblems } from './config/read.ts';
import { readConfig } from './configuration.ts';
import { StoreUnavailable, StoreUnusable } from './store/port.ts';
import { startSweeping } from './store/sweeping.ts';

/** In-flight requests get this long to finish when the server stops. */
const STOP_GRACE_MS = 10_000;
const IDLE_CHECK_MS = 50;

/** The server cannot start; `exitCode` 2 is for what an operator must mend, 1 for faults. */
class StartRefused extends Error {
  override readonly name = 'StartRefused';
  readonly exitCode: 1 | 2;
  constructor(message: string, exitCode: 1 | 2, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

export type RunningServer = {
  readonly port: number;
  readonly core: Awaited<ReturnType<typeof composeCore>>;
  /** Resolves when whatever answers left to do is done. */
  settled(): Promise<void>;
  /** Stops accepting, lets requests in flight finish, gives leases back, closes the store. */
  stop(): Promise<void>;
};

/** Starts serving. Throws StartRefused with a message for people. */
export async function startServer(config: Config, log: Log, seams: Seams = {}): Promise<RunningServer> {
  let listener: RequestListener = (_request, response) => {
    response
      .writeHead(503, { 'Retry-After': '1', 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
      .end(JSON.stringify({ error: 'temporarily_unavailable', error_description: 'Curfew is starting, try again' }));
  };
  // A slow client holds a socket, not the house: headers within 10 s, a whole request within 30.
  const server = createServer(
    { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 5000 },
    (request, response) => listener(request, response),
  );
  await listen(server, config);
  let core: RunningServer['core'] | undefined;
  let web: Awaited<ReturnType<typeof composeWeb>>;
  try {
    core = await composeCore(config, log, seams);
    web = await composeWeb(core);
    listener = web.listener;
    web.start();
  } catch (fault) {
    server.close();
    server.closeAllConnections();
    await core?.close();
    throw refusalFor(fault);
  }
  const running = core;
  const sweeping = startSweeping({
    store: running.store,
    now: () => running.clock.now(),
    wait: (milliseconds, signal) => sleep(running.clock, milliseconds, signal),
    failed: (err) => log.warn({ err }, 'store.sweep-failed'),
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : config.listen.port;
  log.info({ issuer: config.issuer, host: config.listen.host, port }, 'server.listening');
  return {
    port,
    core: running,
    settled: web.settled,
    async stop() {
      web.stop();
      // Together, so that a slow request and a slow Client do not add up.
      const closed = closeServer(server).then(() => web.settled());
      await Promise.all([closed, running.deliveries.stop(), running.mails?.stop(), sweeping.stop()]);
      await running.close();
      log.info('server.stopped');
    },
  };
}

function listen(server: Server, { listen: { host, port } }: Config): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (fault: NodeJS.ErrnoException) => {
      const why =
        fault.code === 'EADDRINUSE'
          ? `port ${port} on ${host} is in use: stop what uses it, or set another \`listen.port\``
          : `cannot listen on ${host}:${port}: ${fault.message}`;
      reject(new StartRefused(why, 1, { cause: fault }));
    });
    server.listen(port, host, resolve);
  });
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A connection kept alive past its answer would hold the stop up for a request that is not taken any more.
  const idle = systemClock.every(IDLE_CHECK_MS, () => server.closeIdleConnections());
  const late = systemClock.setTimer(STOP_GRACE_MS, () => server.closeAllConnections());
  await closed;
  idle.cancel();
  late.cancel();
}

function refusalFor(fault: unknown): unknown {
  if (fault instanceof KeyringProblem) return new StartRefused(`${fault.message}: ${fault.fix}`, 2, { cause: fault });
  if (fault instanceof StoreUnusable) return new StartRefused(fault.message, 2, { cause: fault });
  if (fault instanceof StoreUnavailable) {
    const why = fault.cause instanceof Error ? `: ${fault.cause.message}` : '';
    return new StartRefused(`${fault.message}${why}`, 1, { cause: fault });
  }
  return fault;
}

/** Runs the server until it is told to stop. Resolves to the exit code. */
export async function serve(options: { readonly configFile?: string | undefined }): Promise<number> {
  const reading = readConfig({ file: options.configFile });
  if (!reading.ok) {
    process.stderr.write(`${formatProblems(reading.problems, reading.source)}\n`);
    return 2;
  }
  const { config, warnings } = reading;
  const log = createLog({ level: config.log.level, destination: 'stdout' });
  for (const { path, problem, fix } of warnings) log.warn({ path, problem, fix }, 'configuration.warning');
  let server: RunningServer;
  try {
    server = await startServer(config, log);
  } catch (fault) {
    if (!(fault instanceof StartRefused)) throw fault;
    process.stderr.write(`curfew: ${fault.message}\n`);
    return fault.exitCode;
  }
  process.stderr.write(`Curfew is at ${config.issuer} (listening on ${config.listen.host}:${server.port})\n`);
  await new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
  await server.stop();
  return 0;
}
