/**
 * How each example program starts and ends: its flags, its one `ready` line on stdout, its answer to a port in use and
 * to a signal. It refuses to know what is served.
 */
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { parseArgs, type ParseArgsConfig } from 'node:util';

const LOOPBACK_HOSTS = new Set(['127.0.0.1', '::1', 'localhost']);
const FAREWELL_MS = 1_500;

/** Ends the program for a mistake in how it was started: one line that names the fix, no stack. */
export function usageError(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

export function readFlags<T extends NonNullable<ParseArgsConfig['options']>>(options: T) {
  try {
    return parseArgs({ options, allowPositionals: false }).values;
  } catch (error) {
    return usageError(error instanceof Error ? error.message : String(error));
  }
}

export function readPort(flag: string): number {
  const port = Number(flag);
  if (!/^\d+$/.test(flag) || port > 65_535)
    usageError(`--port ${flag}: must be a number from 0 (any free port) to 65535`);
  return port;
}

export function readSeconds(name: string, flag: string, bounds: { min: number; max: number }): number {
  const seconds = Number(flag);
  if (!(seconds >= bounds.min && seconds <= bounds.max)) {
    usageError(`--${name} ${flag}: must be a number of seconds from ${bounds.min} to ${bounds.max}`);
  }
  return seconds;
}

export function readUrl(name: string, flag: string): URL {
  const url = URL.parse(flag);
  if (!url || !/^https?:$/.test(url.protocol)) usageError(`--${name} ${flag}: must be an http or https URL`);
  return url;
}

/** Secrets come from files: a command line is visible to everyone on the machine. */
export function readSecretFile(path: string | undefined, name = 'client-secret'): string {
  if (!path) usageError(`--${name}-file is missing: the file that holds the ${name.replace('-', ' ')}`);
  try {
    const secret = readFileSync(path, 'utf8').trim();
    if (secret) return secret;
  } catch (error) {
    usageError(`--${name}-file ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return usageError(`--${name}-file ${path}: the file is empty`);
}

export type Service = {
  name: string;
  host: string;
  /** 0 takes a free port; the `ready` line says which. */
  port: number;
  /** Built once the address is known, since an app's redirect URIs contain it. */
  app: (url: string) => RequestListener;
  /** Work to finish before the program ends. It gets a second and a half. */
  stop?: () => Promise<void>;
};

export function serve({ name, host, port, app, stop }: Service): void {
  const server = createServer();
  server.once('error', (error: NodeJS.ErrnoException) => {
    const reason =
      error.code === 'EADDRINUSE'
        ? `port ${port} is already in use; choose another with --port, or 0 for any free one`
        : error.message;
    process.stderr.write(`${name} cannot start: ${reason}\n`);
    process.exit(1);
  });
  server.listen(port, host, () => {
    const address = server.address();
    const actualPort = typeof address === 'object' && address ? address.port : port;
    const authority = LOOPBACK_HOSTS.has(host) ? 'localhost' : host;
    const url = `http://${authority}:${actualPort}`;
    server.on('request', app(url));
    process.stdout.write(`ready ${name} ${url}\n`);
  });

  let ending = false;
  async function end(): Promise<void> {
    if (ending) return;
    ending = true;
    setTimeout(() => process.exit(0), FAREWELL_MS);
    server.close();
    await stop?.();
    server.closeAllConnections();
    process.exit(0);
  }
  process.on('SIGTERM', () => void end());
  process.on('SIGINT', () => void end());
}
