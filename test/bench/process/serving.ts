/** A Curfew that serves while something else works on its store, and knows how long it stood still meanwhile. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

import { type RunningServer, startServer } from '../../../src/server.ts';
import { createLog } from '../../../src/platform/log.ts';
import { CHEAP_HASHING, configure, PASSWORD, type Place, usernameOf } from '../house.ts';

let server: RunningServer | undefined;

export async function serveWatched({
  place,
  port,
  cheapHashing,
  configuration,
}: {
  readonly place: Place;
  readonly port: number;
  readonly cheapHashing: boolean;
  readonly configuration: Readonly<Record<string, unknown>>;
}): Promise<null> {
  const config = configure(place, { port, ...configuration });
  const log = createLog({ level: 'warn', destination: 'stderr' });
  server = await startServer(
    cheapHashing ? { ...config, passwordHashing: CHEAP_HASHING } : config,
    log,
    cheapHashing ? { hashFloor: CHEAP_HASHING } : {},
  );
  return null;
}

/** People who were not there a moment ago. */
export async function welcome({ from, count }: { readonly from: number; readonly count: number }): Promise<null> {
  if (server === undefined) throw new Error('nobody serves');
  const { signIn, accounts } = server.core;
  // One hash for all of them: people are wanted here, not hashes.
  const hashed = await signIn.hashNewPassword({ password: PASSWORD, username: 'nobody', email: 'nobody@bench.test' });
  if (!('hash' in hashed)) throw new Error(`the password was refused: ${JSON.stringify(hashed)}`);
  for (let nth = from; nth < from + count; nth++) {
    const username = usernameOf(nth);
    const created = await accounts.create({ username, email: `${username}@bench.test`, passwordHash: hashed.hash });
    if (!('account' in created)) throw new Error(`${username} was refused: ${created.refused}`);
  }
  return null;
}

let loop: ReturnType<typeof monitorEventLoopDelay> | undefined;
let mostBytes = 0;
let looking: NodeJS.Timeout | undefined;

/** From now on: how long the event loop stands still, and the most memory that is held. */
export async function watchLoop(): Promise<null> {
  loop?.disable();
  loop = monitorEventLoopDelay({ resolution: 1 });
  loop.enable();
  mostBytes = process.memoryUsage.rss();
  looking ??= setInterval(() => (mostBytes = Math.max(mostBytes, process.memoryUsage.rss())), 250).unref();
  return null;
}

export async function watched(): Promise<{ middleMs: number; longMs: number; longestMs: number; rssBytes: number }> {
  if (loop === undefined) throw new Error('nothing was watched');
  return {
    middleMs: loop.percentile(50) / 1e6,
    longMs: loop.percentile(99.9) / 1e6,
    longestMs: loop.max / 1e6,
    rssBytes: mostBytes,
  };
}
