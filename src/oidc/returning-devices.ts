/**
 * Devices that were signed in once and ask to come back: their code was asked for with their last ID Token as the hint.
 *
 * Invariant: a hint lets nobody in. It is believed only when we signed it for this very Client and it names a device's own
 * Client Session that has no access any more; and all it does is to put the device's code before the account it belonged to,
 * where it goes by the name and first use it had. What the owner answers is remembered: a device that is back, or that its
 * owner does not want back, is not put before them by a hint somebody else has kept. This file refuses to know how a code is
 * approved and how a page looks.
 */
import { hash } from 'node:crypto';

import { addSeconds, type Clock } from '../platform/clock.ts';
import type { Keyring, SealBinding } from '../platform/keyring.ts';
import type { Store } from '../store/port.ts';
import type { ClientSessionRecord } from '../store/records.ts';
import { artifactKey } from './artifact-adapter.ts';
import type { deviceSealer } from './device.ts';
import { stampsFor } from './lineage.ts';

/** Who a device was: travels with its code, sealed, to whatever its approval makes. */
export type Returning = {
  readonly accountId: string;
  /** Names the Client Session that ended. */
  readonly grantId: string;
  /** RFC 3339. */
  readonly firstUsedAt: string;
  /** What it called itself: the name its owner knows it by. */
  readonly userAgent: string;
};

/** A code that waits for its device's owner. */
export type Listed = { readonly grantId: string; readonly userCode: string };

export type ReturningDevices = {
  /** Which device a verified ID Token of this Client names; null when it is none that could come back. */
  recognise(hint: { readonly sub: unknown; readonly sid: unknown }, clientId: string): Promise<Returning | null>;
  /** Puts its code before its owner; the one it asked for before makes way. */
  list(
    returning: Returning,
    code: { readonly clientId: string; readonly userCode: string; readonly expiresAt: Date },
  ): Promise<void>;
  /** Codes put before this account, one for each device; some may have been answered or ended since. */
  of(accountId: string): Promise<readonly Listed[]>;
  /** Remembers what came of it: the device goes on under another Grant, or (null) is not wanted back. */
  answered(grantId: string, successor: string | null): Promise<void>;
};

/** How many devices one account is shown at a time. */
const MOST_WAITING = 6;
/** How often one device's codes are put before its owner: a device asks every ten minutes. */
const CODES_PER_WINDOW = 20;
const WINDOW_MS = 600_000;
/** Longer than anything a Grant has given away: by then its ID Token's key is long retired. */
const ANSWER_SECONDS = 400 * 86_400;
/** How often a device that is followed may have come back. */
const LONGEST_LINE = 50;

export const WAITING_DEVICE_MODEL = 'WaitingDevice';
const ANSWERED = 'AnsweredDevice';

/** How such an artifact is sealed. */
export function waitingDeviceSeal(key: Uint8Array): SealBinding {
  const id = Buffer.from(key).toString('base64url');
  return ['waiting-device', { collection: 'artifacts', field: WAITING_DEVICE_MODEL, id }];
}

type Kept = Listed & { readonly listedAt: string };

export function createReturningDevices({
  store,
  keyring,
  clock,
  devices,
  refreshTokenSeconds,
}: {
  readonly store: Pick<Store, 'accounts' | 'artifacts' | 'revocations'>;
  readonly keyring: Pick<Keyring, 'seal' | 'unseal' | 'blindIndex'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly devices: Pick<ReturnType<typeof deviceSealer>, 'unseal'>;
  /** A device that has not been used for so long has no token left. */
  readonly refreshTokenSeconds: number;
}): ReturningDevices {
  const { accounts, artifacts, revocations } = store;

  const slotKey = (accountId: string, slot: number): Buffer =>
    hash('sha256', `${WAITING_DEVICE_MODEL}:${accountId}:${slot}`, 'buffer');
  const look = async (key: Uint8Array): Promise<Kept | null> => {
    const found = await artifacts.find(key, clock.now());
    return found === null ? null : (JSON.parse(keyring.unseal(...waitingDeviceSeal(key), found.payload)) as Kept);
  };
  const slotsOf = (accountId: string): Promise<{ readonly key: Buffer; readonly kept: Kept | null }[]> =>
    Promise.all(
      Array.from({ length: MOST_WAITING }, async (_, slot) => {
        const key = slotKey(accountId, slot);
        return { key, kept: await look(key) };
      }),
    );

  const answerKey = (grantId: string): Buffer => hash('sha256', `${ANSWERED}:${grantId}`, 'buffer');
  const answerTo = async (grantId: string): Promise<{ readonly successor: string | null } | null> => {
    const found = await artifacts.find(answerKey(grantId), clock.now());
    return found === null ? null : (JSON.parse(found.payload) as { readonly successor: string | null });
  };

  const hasAccess = async ({ grantId, endedAt, stamps, lastUsedAt }: ClientSessionRecord): Promise<boolean> => {
    if (endedAt !== null || addSeconds(lastUsedAt, refreshTokenSeconds) <= clock.now()) return false;
    if (!(await revocations.stand(stamps))) return false;
    return (await artifacts.find(artifactKey('Grant', grantId), clock.now())) !== null;
  };
  /** The Client Session this device had last: whoever kept an older hint is told no other story than the device itself. */
  const lastOf = async (grantId: string): Promise<ClientSessionRecord | null> => {
    let session = await revocations.findClientSession(grantId);
    for (let hop = 0; session !== null && hop < LONGEST_LINE; hop++) {
      if (session.kind !== 'device' || (await hasAccess(session))) return null;
      const answer = await answerTo(session.grantId);
      if (answer === null) return session;
      session = answer.successor === null ? null : await revocations.findClientSession(answer.successor);
    }
    return null;
  };
  /** Whoever repeats one device's hint gains no more than that device's place. */
  const asksTooOften = async (grantId: string): Promise<boolean> => {
    const windowStart = new Date(Math.floor(clock.now().getTime() / WINDOW_MS) * WINDOW_MS);
    const asked = await accounts.countAttempt({
      key: keyring.blindIndex('throttle.returning-device', grantId),
      windowStart,
      expiresAt: new Date(windowStart.getTime() + 2 * WINDOW_MS),
    });
    return asked > CODES_PER_WINDOW;
  };

  return {
    async recognise({ sub, sid }, clientId) {
      if (typeof sub !== 'string' || typeof sid !== 'string') return null;
      const named = await revocations.findClientSession(sid);
      if (named === null || named.accountId !== sub || named.clientId !== clientId) return null;
      const session = await lastOf(sid);
      if (session === null || (await accounts.find(sub))?.status !== 'active') return null;
      if (await asksTooOften(session.grantId)) return null;
      return {
        accountId: session.accountId,
        grantId: session.grantId,
        firstUsedAt: session.firstUsedAt.toISOString(),
        userAgent: devices.unseal(session.grantId, session.sealedDevice).userAgent,
      };
    },

    async list({ accountId, grantId }, { clientId, userCode, expiresAt }) {
      const stamps = stampsFor(['everyone', `client:${clientId}`]);
      const kept: Kept = { grantId, userCode, listedAt: clock.now().toISOString() };
      const artifact = (key: Uint8Array) => ({
        model: WAITING_DEVICE_MODEL,
        key,
        payload: keyring.seal(...waitingDeviceSeal(key), JSON.stringify(kept)),
        stamps,
        expiresAt,
      });
      const slots = await slotsOf(accountId);
      // Devices that lost their access together come back together: each begins to look at another place.
      const first = answerKey(grantId).readUInt8() % MOST_WAITING;
      const inTurn = [...slots.slice(first), ...slots.slice(0, first)];
      const own = slots.find((slot) => slot.kept?.grantId === grantId);
      if (own !== undefined) return artifacts.save(artifact(own.key));
      for (const { key, kept: present } of inTurn) {
        if (present === null && (await artifacts.insert(artifact(key), clock.now()))) return;
      }
      const [oldest] = inTurn
        .filter((slot) => slot.kept !== null)
        .toSorted((a, b) => (a.kept?.listedAt ?? '').localeCompare(b.kept?.listedAt ?? ''));
      const place = oldest ?? inTurn[0];
      if (place !== undefined) await artifacts.save(artifact(place.key));
    },

    async of(accountId) {
      const newestFirst = (await slotsOf(accountId))
        .flatMap(({ kept }) => (kept === null ? [] : [kept]))
        .toSorted((a, b) => b.listedAt.localeCompare(a.listedAt));
      return newestFirst.filter(
        ({ grantId }, at) => newestFirst.findIndex((other) => other.grantId === grantId) === at,
      );
    },

    answered: (grantId, successor) =>
      artifacts.save({
        model: ANSWERED,
        key: answerKey(grantId),
        payload: JSON.stringify({ successor }),
        stamps: {},
        expiresAt: addSeconds(clock.now(), ANSWER_SECONDS),
      }),
  };
}

/** The device a code was asked for, if this account may have it back; null when it is another's, or nobody's. */
export function returningOf(deviceInfo: object | undefined, accountId: string | undefined): Returning | null {
  const { returning } = (deviceInfo ?? {}) as { readonly returning?: Returning };
  return returning !== undefined && returning.accountId === accountId ? returning : null;
}
