/** What it costs to end access, for one account and for everyone, with much of it there to be ended. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

import type { Core } from '../../../src/compose.ts';
import type { SignOutScope } from '../../../src/store/records.ts';
import type { Place } from '../house.ts';
import { median } from '../measure.ts';
import { artifactOf, inBulk, openCore, saveSessions } from './core.ts';

export type Commit = { readonly count: number; readonly milliseconds: number };

/** The commit of a Sign-out of one account, by how many artifacts or Grants it has. */
export async function commitSignOuts({
  place,
  artifacts,
  grants,
  times,
}: {
  readonly place: Place;
  readonly artifacts: readonly number[];
  readonly grants: readonly number[];
  readonly times: number;
}): Promise<{ artifacts: Commit[]; grants: Commit[] }> {
  const core = await openCore(place);
  const ofArtifacts = (count: number) => `with-${count}-artifacts`;
  const ofGrants = (count: number, nth: number) => `with-${count}-grants-${nth}`;
  for (const count of artifacts) {
    const accountId = ofArtifacts(count);
    await inBulk(core, count, (nth) =>
      core.store.artifacts.save(artifactOf({ accountId, clientId: 'app', grantId: `${accountId}-${nth % 10}` })),
    );
  }
  for (const count of grants) {
    for (let time = 0; time < times; time++) {
      const accountId = ofGrants(count, time);
      await saveSessions(core, count, (nth) => ({ accountId, clientId: 'app', grantId: `${accountId}-${nth}` }));
    }
  }
  // The first of a process pays for statements that are prepared once.
  for (let nth = 0; nth < 5; nth++) await timeSignOut(core, { kind: 'account', accountId: `nobody-${nth}` });

  const byArtifacts = artifacts.map((count) => ({ count, took: [] as number[] }));
  const byGrants = grants.map((count) => ({ count, took: [] as number[] }));
  // In turn, so that a slow moment of the disk is everybody's.
  for (let time = 0; time < times * 3; time++) {
    for (const { count, took } of byArtifacts) {
      took.push(await timeSignOut(core, { kind: 'account', accountId: ofArtifacts(count) }));
    }
  }
  for (let time = 0; time < times; time++) {
    for (const { count, took } of byGrants) {
      took.push(await timeSignOut(core, { kind: 'account', accountId: ofGrants(count, time) }));
    }
  }
  await core.close();
  const middle = ({ count, took }: { count: number; took: number[] }): Commit => ({
    count,
    milliseconds: median(took),
  });
  return { artifacts: byArtifacts.map(middle), grants: byGrants.map(middle) };
}

/** Everyone at once: the write, and how fast and how smoothly what it owes is written afterwards. */
export async function signOutEveryone({
  place,
  sessions,
}: {
  readonly place: Place;
  readonly sessions: number;
}): Promise<{
  writeMs: number;
  fanOutSeconds: number;
  middleBlockMs: number;
  longestBlockMs: number;
  owed: number;
}> {
  const clients = Array.from({ length: 10 }, (_, nth) => ({
    client_id: `app-${nth}`,
    client_name: `App ${nth}`,
    client_secret: 'a secret that only its client knows, 0123456789',
    redirect_uris: [`http://app-${nth}.test/callback`],
    backchannel_logout_uri: `http://127.0.0.1:9/app-${nth}`,
    backchannel_logout_session_required: true,
  }));
  const core = await openCore(place, { clients });
  await saveSessions(core, sessions, (nth) => ({
    accountId: `account-${Math.floor(nth / 4)}`,
    clientId: `app-${nth % 10}`,
    grantId: `grant-${nth}`,
  }));
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const began = performance.now();
  const writeMs = await commit(core, { kind: 'everyone' });
  await core.fanOut.runUntilIdle();
  const fanOutSeconds = (performance.now() - began - writeMs) / 1000;
  delay.disable();
  const { pending } = await core.store.deliveries.counts({});
  await core.close();
  return {
    writeMs,
    fanOutSeconds,
    middleBlockMs: delay.percentile(50) / 1e6,
    longestBlockMs: delay.max / 1e6,
    owed: pending,
  };
}

async function timeSignOut(core: Core, scope: SignOutScope): Promise<number> {
  const took = await commit(core, scope);
  // What follows is not part of it, and must not be in the way of the next.
  await core.fanOut.runUntilIdle();
  return took;
}

async function commit(core: Core, scope: SignOutScope): Promise<number> {
  const began = performance.now();
  await core.signOuts.signOut({ scope, reason: 'A measurement', actor: { kind: 'operator' } });
  return performance.now() - began;
}
