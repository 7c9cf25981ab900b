/** What the provider is built from, and what it asks of the rooms around it. Types, and who may see whose tokens. */
import type { Configuration, KoaContextWithOIDC, Provider } from 'oidc-provider';

import type { Config } from '../config.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { Store } from '../store/port.ts';
import type { ClientDirectory } from './clients.ts';
import type { DeviceTraits } from './device.ts';
import type { UpstreamSession } from './lineage.ts';
import type { ReturningDevices } from './returning-devices.ts';
import type { AccessTokenMarks } from './self-contained.ts';

/** A request as the provider's pages and hooks see it. */
export type ProviderContext = KoaContextWithOIDC;

/** What a person's pages look like is the web room's business; each renders into `ctx.body`. */
export type ProviderPages = {
  /** The languages they speak (BCP 47). */
  readonly locales: readonly string[];
  error(ctx: KoaContextWithOIDC, out: { error: string; error_description?: string | undefined }): Promise<void>;
  confirmSignOut(ctx: KoaContextWithOIDC, form: string): Promise<void>;
  signedOut(ctx: KoaContextWithOIDC): Promise<void>;
  enterDeviceCode(ctx: KoaContextWithOIDC, form: string, refusal: DeviceCodeRefusal | undefined): Promise<void>;
  confirmDevice(ctx: KoaContextWithOIDC, form: string, device: DeviceTraits, userCode: string): Promise<void>;
  deviceDone(ctx: KoaContextWithOIDC): Promise<void>;
};
export type DeviceCodeRefusal = 'missing' | 'unknown' | 'denied' | 'failed';

export type ProviderParts = {
  readonly config: Config;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly adapter: NonNullable<Configuration['adapter']>;
  readonly clients: ClientDirectory;
  readonly cookieKeys: readonly string[];
  readonly outboundFetch: NonNullable<Configuration['fetch']>;
  readonly claimsOf: (accountId: string) => Promise<Record<string, unknown> & { sub: string }>;
  readonly pages: ProviderPages;
  readonly returning: ReturningDevices;
  readonly marks: AccessTokenMarks;
  /** Ends a browser's Session before the library forgets it: the way RP-initiated logout reaches every Client. */
  readonly endBrowserSession: (session: { uid: string; accountId: string }) => Promise<void>;
  /** Ends one Client's sign-in from this browser (RP-initiated logout, declined for the rest). */
  readonly endClientSession: (session: { sid: string; accountId: string; clientId: string }) => Promise<void>;
};

export type Client = InstanceType<Provider['Client']>;

/** What Curfew keeps on a Session besides the library's own fields. */
export type CurfewSession = InstanceType<Provider['Session']> & {
  signedInAt?: number;
  admin?: boolean;
  device?: DeviceTraits;
  upstream?: UpstreamSession;
  authenticatedAt?: number;
};

/** Whether a Client may see this token: its own, or one of those it was set up to introspect (RFC 7662 §4). */
export function maySee(client: Client, tokenClientId: string | undefined): boolean {
  if (client.clientId === tokenClientId) return true;
  if (client.tokenEndpointAuthMethod === 'none' || tokenClientId === undefined) return false;
  const introspects = client['introspects'];
  return introspects === 'all' || (Array.isArray(introspects) && introspects.includes(tokenClientId));
}
