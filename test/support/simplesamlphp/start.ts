/**
 * One SimpleSAMLphp of a test's own: served by PHP on a port of 127.0.0.1 that was free, over a folder that nobody else uses,
 * and gone with the test, or with the process that started it, even when that was killed.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { onTestFinished } from 'vitest';

import { createKeyPair } from '../../../src/connections/saml/certificate.ts';
import type { KeyPair } from '../../../src/connections/saml/party.ts';
import { freePort } from '../world.ts';
import type { FoundSimplesamlphp } from './find.ts';
import { type Employee, type Settings, writeSettings } from './settings.ts';

const PATIENCE_MS = 30_000;

export type Simplesamlphp = {
  readonly url: string;
  readonly metadataUrl: string;
  /** What it counts for its operator's statistics, in order. */
  readonly events: readonly Event[];
  /** Changes settings; the others stay. */
  change(settings: Partial<Settings>): void;
  /** A key that it may sign with. */
  newKey(): Promise<KeyPair>;
  /** From now on everybody who is signed in there has been so for this much longer. */
  pass(seconds: number): void;
};

export type Event = { readonly op: string; readonly spEntityID?: string; readonly error?: unknown };

/**
 * The shell becomes PHP. What stays behind waits at the leash, which the system lets go of when its holder dies: then it ends
 * PHP and takes the folder away. A word on the leash says that PHP has ended already.
 */
const LEASHED = `
  ( read -r over <&3 || { kill -KILL $$; rm -rf "$0"; } ) </dev/null >/dev/null 2>&1 &
  exec "$@" 3<&-`;

/** As its packager's settings for production have it: what is deprecated is its own affair. */
const OPTIONS = ['display_errors=0', 'log_errors=1', 'error_reporting=22527', 'date.timezone=UTC'];

export async function startSimplesamlphp(
  { php, documentRoot }: FoundSimplesamlphp,
  people: readonly Employee[],
): Promise<Simplesamlphp> {
  const folder = mkdtempSync(join(tmpdir(), 'curfew-simplesamlphp-'));
  const address = `127.0.0.1:${await freePort()}`;
  const url = `http://${address}`;
  const newKey = (): Promise<KeyPair> => createKeyPair({ entityId: url, use: 'signing', now: new Date() });
  let settings: Settings = { people, signing: await newKey(), signsResponses: true, encryptsAssertions: false };
  writeSettings(folder, url, settings);

  const command = [php, ...OPTIONS.flatMap((option) => ['-d', option]), '-S', address, '-t', documentRoot];
  const child = spawn('/bin/sh', ['-c', LEASHED, folder, ...command], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], SIMPLESAMLPHP_CONFIG_DIR: folder },
  });
  const [, , told, leash] = child.stdio as unknown as [null, null, Readable, Writable];
  leash.on('error', () => {});
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      leash.end('over\n');
      resolve();
    });
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });
  const events: Event[] = [];
  const lastWords: string[] = [];
  const started = new Promise<true>((resolve) => {
    createInterface(told).on('line', (line) => {
      const [, event] = / SimpleSAMLphp NOTICE EVENT (\{.*\})$/.exec(line) ?? [];
      if (event !== undefined) events.push(JSON.parse(event) as Event);
      lastWords.push(line);
      if (lastWords.length > 30) lastWords.shift();
      if (/ PHP \S+ Development Server .* started$/.test(line)) resolve(true);
    });
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, PATIENCE_MS)));
  const outcome = await Promise.race([started, ended, late]);
  clearTimeout(timer);
  if (outcome === undefined) throw new Error(`${php} did not start. Its last words:\n${lastWords.join('\n')}`);

  return {
    url,
    metadataUrl: `${url}/saml2/idp/metadata.php`,
    events,
    newKey,
    change(changed) {
      settings = { ...settings, ...changed };
      writeSettings(folder, url, settings);
    },
    pass(seconds) {
      const sessions = join(folder, 'sessions');
      for (const file of readdirSync(sessions).map((name) => join(sessions, name))) {
        const earlier = (_: string, begin: string, instant: string): string => `${begin}${Number(instant) - seconds}`;
        writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/("AuthnInstant";i:)(\d{10})/g, earlier));
      }
    },
  };
}
