/** Curfew without HTTP: the core that commands use, and what people leave in its store, in bulk. */
import { createHash, randomBytes } from 'node:crypto';

import { composeCore, type Core } from '../../../src/compose.ts';
import { createLog } from '../../../src/platform/log.ts';
import type { ArtifactRecord, ClientSessionRecord } from '../../../src/store/records.ts';
import { configure, type Place } from '../house.ts';

export function openCore(place: Place, others: Record<string, unknown> = {}): Promise<Core> {
  const log = createLog({ level: 'warn', destination: 'stderr' });
  return composeCore(configure(place, { port: 1, ...others }), log);
}

const LIFETIME_MS = 86_400_000;

/** An access token as the store keeps it. */
export function artifactOf(of: { accountId: string; clientId: string; grantId: string }): ArtifactRecord {
  const { accountId, clientId, grantId } = of;
  return {
    model: 'AccessToken',
    key: createHash('sha256').update(randomBytes(32)).digest(),
    payload: JSON.stringify({
      iat: 1_800_000_000,
      exp: 1_800_000_600,
      kind: 'AccessToken',
      scope: 'openid profile email offline_access',
      ...of,
      gty: 'authorization_code',
      sessionUid: 'tvYWxUPTuI8WBtU9kW_0GQ',
    }),
    stamps: { everyone: 0, [`account:${accountId}`]: 0, [`client:${clientId}`]: 0, [`grant:${grantId}`]: 0 },
    expiresAt: new Date(Date.now() + LIFETIME_MS),
  };
}

/** A sign-in at a Client that has not ended. */
function clientSessionOf(of: { accountId: string; clientId: string; grantId: string }): ClientSessionRecord {
  const now = new Date();
  return {
    ...of,
    connectionId: null,
    sessionUid: of.accountId,
    kind: 'browser',
    persistent: true,
    sid: `sid-${of.grantId}`,
    sealedDevice: 'v1.1.'.padEnd(160, 'x'),
    stamps: artifactOf(of).stamps,
    firstUsedAt: now,
    lastUsedAt: now,
    selfContainedUntil: null,
    endedAt: null,
    endedBy: null,
  };
}

/** SQLite's share commits; a server's wait for connections, and for no longer than an answer may take. */
const AT_ONCE = { sqlite: 5000, mongodb: 500 };

/** Saves that many, as many at a time as the store likes. */
export async function inBulk({ config }: Core, count: number, save: (nth: number) => Promise<void>): Promise<void> {
  const atOnce = AT_ONCE[config.store.engine];
  for (let from = 0; from < count; from += atOnce) {
    const size = Math.min(atOnce, count - from);
    await Promise.all(Array.from({ length: size }, (_, nth) => save(from + nth)));
  }
}

/** Saves the Client Sessions of accounts, each with one token. */
export function saveSessions(
  core: Core,
  count: number,
  of: (nth: number) => { accountId: string; clientId: string; grantId: string },
): Promise<void> {
  return inBulk(core, count, (nth) => core.store.artifacts.save(artifactOf(of(nth)), clientSessionOf(of(nth))));
}
