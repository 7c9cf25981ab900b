/**
 * Which Grant an authorization request goes by, and the Client Session that records it: one device, one Grant.
 */
import type { KoaContextWithOIDC } from 'oidc-provider';
import { Provider } from 'oidc-provider';

import type { Clock } from '../platform/clock.ts';
import { addressOf, type DeviceSeal } from './device.ts';
import type { Payload } from './artifact-adapter.ts';
import { randomId } from '../platform/random.ts';
import type { RevocationRepository } from '../store/port.ts';
import type { ClientSessionRecord, ScopeKey } from '../store/records.ts';
import { seenVouchers, stampsFor } from './lineage.ts';
import { returningOf } from './returning-devices.ts';

type GrantModel = InstanceType<Provider['Grant']>;
type SessionModel = InstanceType<Provider['Session']>;

const DEVICE_ROUTES = new Set(['code_verification', 'device_resume']);

/**
 * The library's `loadExistingGrant`: the Grant this browser's Session has at the Client. A device approved by code gets
 * a Grant and a `sid` of its own each time, so that two TVs approved in one browser are two devices; and a Grant that
 * replaces an ended one gets a new `sid`, so that a late Logout Token for the old one cannot end the new. First-party
 * Clients are granted what they ask for; everybody else asks the person.
 */
export function grantLoader(
  revocations: RevocationRepository,
): (ctx: KoaContextWithOIDC) => Promise<GrantModel | undefined> {
  return (ctx) => loadGrant(ctx, revocations);
}

async function loadGrant(ctx: KoaContextWithOIDC, revocations: RevocationRepository): Promise<GrantModel | undefined> {
  const { client, session, account, provider, route } = ctx.oidc;
  if (client === undefined || session === undefined || account === undefined) return undefined;
  const byDevice = DEVICE_ROUTES.has(route);
  if (byDevice) keepApprovalApart(session);
  const consented = (ctx.oidc.result as { consent?: { grantId?: string } } | undefined)?.consent?.grantId;
  const known = consented ?? (byDevice ? undefined : session.grantIdFor(client.clientId));
  let grant = known === undefined ? undefined : await provider.Grant.find(known);
  if (grant !== undefined && (grant.accountId !== account.accountId || grant.clientId !== client.clientId)) {
    grant = undefined;
  }
  // Ended by a Sign-out: until its person has signed in again, nothing takes its place (prompts.ts asks them to).
  if (
    grant === undefined &&
    known !== undefined &&
    !signedInJustNow(ctx) &&
    (await revocations.signedOutAt(`grant:${known}`)) !== null
  ) {
    return undefined;
  }
  if (consented === undefined && grant === undefined) session.sidFor(client.clientId, randomId());
  if (client['first_party'] !== true) return named(grant, byDevice, session);

  grant ??= new provider.Grant({ accountId: account.accountId, clientId: client.clientId });
  const before = JSON.stringify([grant.openid, grant.resources]);
  grant.addOIDCScope([...ctx.oidc.requestParamOIDCScopes].join(' '));
  grant.addOIDCClaims([...ctx.oidc.requestParamClaims]);
  for (const [resource, server] of Object.entries(ctx.oidc.resourceServers ?? {})) {
    const scopes = [...ctx.oidc.requestParamScopes].filter((scope) => server.scopes.has(scope));
    if (scopes.length > 0) grant.addResourceScope(resource, scopes.join(' '));
  }
  if (grant.jti === undefined || before !== JSON.stringify([grant.openid, grant.resources])) await grant.save();
  return named(grant, byDevice, session);
}

/**
 * One device, one Grant: its `sid` is its Grant's name, by which its Client Session is found when it comes back with nothing
 * but an old ID Token.
 */
function named(grant: GrantModel | undefined, byDevice: boolean, session: SessionModel): GrantModel | undefined {
  if (byDevice && grant?.clientId !== undefined) session.sidFor(grant.clientId, grant.jti);
  return grant;
}

/** Whether this very request brings the proof of a fresh sign-in. */
export function signedInJustNow({ oidc }: KoaContextWithOIDC): boolean {
  return oidc.result !== undefined && 'login' in oidc.result;
}

/**
 * What an approval settles stays out of the browser's Session: the library keeps one Grant and `sid` a Client there, and
 * a browser signed in at the same Client would come to share the device's, or lose its own.
 */
function keepApprovalApart(session: SessionModel): void {
  const approval: ReturnType<SessionModel['authorizationFor']> = {};
  session.authorizationFor = () => approval;
}

/** The Client Session that comes into being when a code, or an approved device code, is saved. */
export function clientSessionRecorder({
  clock,
  sealDevice,
  approved,
}: {
  readonly clock: Clock;
  readonly sealDevice: DeviceSeal;
  /** Told of each device that was approved by code, at least once. Must not throw or take time. */
  readonly approved?: (session: Pick<ClientSessionRecord, 'grantId' | 'accountId' | 'clientId'>) => void;
}): (model: string, payload: Payload) => ClientSessionRecord | undefined {
  return (model, payload) => {
    const byDevice = model === 'DeviceCode';
    if (!byDevice && model !== 'AuthorizationCode') return undefined;
    const { accountId, clientId, grantId, sessionUid } = payload;
    if (!accountId || !clientId || !grantId || !sessionUid) return undefined;
    const ctx = Provider.ctx;
    const sid = payload.sid ?? ctx?.oidc.session?.sidFor(clientId) ?? randomId();
    if (byDevice) approved?.({ grantId, accountId, clientId });
    const persistent = byDevice || payload.expiresWithSession !== true;
    const vouchers = seenVouchers();
    const scopes: ScopeKey[] = ['everyone', `account:${accountId}`, `client:${clientId}`, `grant:${grantId}`];
    if (!persistent) scopes.push(`session:${sessionUid}`);
    const device = byDevice
      ? payload.deviceInfo
      : { userAgent: ctx?.get('user-agent'), address: ctx === undefined ? undefined : addressOf(ctx) };
    const now = clock.now();
    // Back again, and so known to its owner already: its name and its first use go on.
    const was = byDevice ? returningOf(payload.deviceInfo, accountId) : null;
    return {
      grantId,
      accountId,
      clientId,
      connectionId: vouchers.find((key) => key.startsWith('connection:'))?.slice('connection:'.length) ?? null,
      sessionUid,
      kind: byDevice ? 'device' : 'browser',
      persistent,
      sid,
      sealedDevice: sealDevice(grantId, {
        userAgent: was?.userAgent ?? textOf(device?.['userAgent']),
        address: textOf(device?.['address']),
      }),
      stamps: stampsFor([...scopes, ...vouchers]),
      firstUsedAt: was === null ? now : new Date(was.firstUsedAt),
      lastUsedAt: now,
      selfContainedUntil: null,
      endedAt: null,
      endedBy: null,
    };
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
