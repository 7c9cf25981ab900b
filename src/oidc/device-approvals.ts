/**
 * Answering the code of a device that asks to come back, with one press on its owner's own page.
 *
 * Invariant: what is made is what the device page's Allow makes (a Grant and a Client Session of its own, under the epochs this
 * request saw), for the account that the device belonged to and no other, and of many presses one answers. Whatever that page
 * would ask first (consent, a second factor, another sign-in) is left to it.
 */
import { hash } from 'node:crypto';

import type { Provider } from 'oidc-provider';

import { addSeconds, type Clock } from '../platform/clock.ts';
import type { ArtifactRepository, RevocationRepository } from '../store/port.ts';
import { askedFor, meets } from './assurance.ts';
import type { DeviceTraits } from './device.ts';
import type { Client, CurfewSession } from './provider-parts.ts';
import { type Returning, type ReturningDevices, returningOf } from './returning-devices.ts';

type DeviceCode = InstanceType<Provider['DeviceCode']>;

export type WaitingDevice = {
  /** As the device shows it. */
  readonly userCode: string;
  readonly clientId: string;
  /** What it says of itself now, and where it asks from. */
  readonly asks: DeviceTraits;
  readonly askedAt: Date;
  readonly was: Returning;
};

type Answering = { readonly accountId: string; readonly userCode: string };

export type DeviceApprovals = {
  /** Devices that wait for this account's answer, those that asked last first. */
  waiting(accountId: string): Promise<readonly WaitingDevice[]>;
  /** `ask`: the device page has something to ask first. `gone`: it was answered, has expired or was ended. */
  approve(
    answer: Answering & { readonly sessionUid: string },
  ): Promise<{ readonly outcome: 'approved'; readonly device: WaitingDevice } | { readonly outcome: 'ask' | 'gone' }>;
  /** Refuses this code; the device is not put before its owner again. */
  ignore(answer: Answering): Promise<'ignored' | 'gone'>;
};

/** What a code may have asked for that leaves nothing to ask its owner. */
const NOTHING_TO_ASK = new Set(['client_id', 'scope']);
/** Longer than a code lives. */
const CLAIM_SECONDS = 3600;
const CLAIM = 'DeviceAnswer';

export function createDeviceApprovals({
  provider,
  returning,
  artifacts,
  revocations,
  clock,
  scopes: known,
}: {
  readonly provider: () => Provider;
  readonly returning: ReturningDevices;
  readonly artifacts: Pick<ArtifactRepository, 'insert'>;
  readonly revocations: Pick<RevocationRepository, 'signedOutAt'>;
  readonly clock: Pick<Clock, 'now'>;
  /** Those that are not a resource's. */
  readonly scopes: readonly string[];
}): DeviceApprovals {
  type Found = { readonly code: DeviceCode; readonly device: WaitingDevice };

  const open = async (accountId: string, userCode: string): Promise<Found | null> => {
    const code = await provider().DeviceCode.findByUserCode(userCode.replaceAll('-', ''));
    const was = returningOf(code?.deviceInfo, accountId);
    if (code === undefined || was === null || code.clientId === undefined) return null;
    const { error, accountId: approvedFor, inFlight } = code as DeviceCode & { inFlight?: boolean };
    if (code.isExpired || code.consumed || error || approvedFor || inFlight) return null;
    const { userAgent, address } = code.deviceInfo as DeviceTraits;
    const askedAt = new Date((code.iat ?? 0) * 1000);
    return { code, device: { userCode, clientId: code.clientId, asks: { userAgent, address }, askedAt, was } };
  };
  /** Only what was put before this account can be answered on its page. */
  const find = async ({ accountId, userCode }: Answering): Promise<Found | null> =>
    (await returning.of(accountId)).some((listed) => listed.userCode === userCode) ? open(accountId, userCode) : null;
  /** True for one caller: the library looks at a code and saves it, and two that look at once would both. */
  const claim = ({ jti }: DeviceCode): Promise<boolean> =>
    artifacts.insert(
      {
        model: CLAIM,
        key: hash('sha256', `${CLAIM}:${jti}`, 'buffer'),
        payload: '{}',
        stamps: {},
        expiresAt: addSeconds(clock.now(), CLAIM_SECONDS),
      },
      clock.now(),
    );

  const leavesNothingToAsk = async (code: DeviceCode, client: Client, session: CurfewSession): Promise<boolean> => {
    if (client['first_party'] !== true || client['requireAuthTime'] === true) return false;
    if (Object.keys(code.params ?? {}).some((name) => !NOTHING_TO_ASK.has(name))) return false;
    const asked = askedFor({ clientRequires: client['require_second_factor'] === true });
    if (asked !== null && !meets(session.acr, asked)) return false;
    const endedAt = await revocations.signedOutAt(`client:${client.clientId}`);
    return endedAt === null || (session.signedInAt ?? 0) > endedAt.getTime();
  };

  return {
    async waiting(accountId) {
      const listed = await returning.of(accountId);
      const found = await Promise.all(listed.map(({ userCode }) => open(accountId, userCode)));
      return found.flatMap((each) => (each === null ? [] : [each.device]));
    },

    async approve({ accountId, userCode, sessionUid }) {
      const found = await find({ accountId, userCode });
      if (found === null) return { outcome: 'gone' };
      const { code, device } = found;
      const { Client, Grant, Session } = provider();
      const [client, session] = await Promise.all([
        Client.find(device.clientId),
        Session.findByUid(sessionUid) as Promise<CurfewSession | undefined>,
      ]);
      if (client === undefined || session?.accountId !== accountId) return { outcome: 'gone' };
      if (!(await leavesNothingToAsk(code, client, session))) return { outcome: 'ask' };
      if (!(await claim(code))) return { outcome: 'gone' };

      const { scope: asked = '' } = (code.params ?? {}) as { scope?: string };
      const scopes = asked.split(' ').filter((scope) => known.includes(scope));
      const grant = new Grant({ accountId, clientId: client.clientId });
      grant.addOIDCScope(scopes.join(' '));
      const grantId = await grant.save();
      Object.assign(code, {
        accountId,
        acr: session.acr,
        amr: session.amr,
        authTime: session.authTime(),
        grantId,
        scope: grant.getOIDCScopeFiltered(new Set(scopes)),
        sessionUid,
        // One device, one Grant: its `sid` is its Grant's name (grants.ts).
        sid: grantId,
      });
      await code.save();
      await returning.answered(device.was.grantId, grantId);
      return { outcome: 'approved', device };
    },

    async ignore(answer) {
      const found = await find(answer);
      if (found === null || !(await claim(found.code))) return 'gone';
      const { code, device } = found;
      await returning.answered(device.was.grantId, null);
      await Object.assign(code, { error: 'access_denied', errorDescription: 'its owner declined' }).save();
      return 'ignored';
    },
  };
}
