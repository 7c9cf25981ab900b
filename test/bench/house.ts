/** The installation that is measured: its Clients, its people, its folder and store; known to both sides of the wire. */
import { createServer } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Config } from '../../src/config.ts';
import { readConfig } from '../../src/config/read.ts';

export const SECRET = 'a secret that only its client knows, 0123456789';
export const PASSWORD = 'lantern over a quiet harbour';
export const REDIRECT_URI = 'http://app.test/callback';

/** The least work that argon2id does: what a sign-in costs besides its hash. */
export const CHEAP_HASHING = { memoryKiB: 1024, iterations: 1, parallelism: 1 };

/** The app that people sign in to, and the resource server that asks about its tokens. */
export const CLIENTS = [
  {
    client_id: 'app',
    client_name: 'App',
    client_secret: SECRET,
    first_party: true,
    token_endpoint_auth_method: 'client_secret_basic',
    response_types: ['code'],
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
    redirect_uris: [REDIRECT_URI],
  },
  {
    client_id: 'library',
    client_name: 'Library',
    client_secret: SECRET,
    first_party: true,
    introspects: 'all',
    token_endpoint_auth_method: 'client_secret_basic',
    response_types: [],
    grant_types: ['client_credentials'],
    redirect_uris: [],
  },
] as const;

export const usernameOf = (nth: number): string => `person-${nth}`;

/** Where an installation lies. Without a store of its own it has a file in its folder. */
export type Place = {
  readonly folder: string;
  readonly store?: { readonly store: string; readonly storePasswordFile?: string } | undefined;
};

/** A configuration like an operator's, but for what bounds a load from one address, and the log. */
export function configure(
  { folder, store }: Place,
  { port = 0, ...others }: { readonly port?: number; readonly [key: string]: unknown } = {},
): Config {
  const reading = readConfig({
    file: writeConfiguration({ folder, store }, { port, ...others }),
    env: {},
    cwd: folder,
  });
  if (!reading.ok) throw new Error(`the bench's configuration is wrong: ${JSON.stringify(reading.problems)}`);
  return reading.config;
}

/** Writes the file; resolves to its path. JSON is YAML. */
export function writeConfiguration(
  { folder, store = { store: 'sqlite:./data/curfew.db' } }: Place,
  { port, ...others }: { readonly port: number; readonly [key: string]: unknown },
): string {
  const file = join(folder, 'curfew.yaml');
  const written = {
    issuer: `http://127.0.0.1:${port}`,
    listen: { host: '127.0.0.1', port },
    ...store,
    keyringFile: './secrets/keyring.json',
    outbound: { allow: ['127.0.0.0/8', 'localhost'] },
    throttle: { addressAttemptsPerMinute: 100_000 },
    log: { level: 'warn' },
    clients: CLIENTS,
    ...others,
  };
  writeFileSync(file, JSON.stringify(written));
  return file;
}

/** A port nobody listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
