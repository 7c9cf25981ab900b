/**
 * The life of a device without a keyboard (RFC 8628): show a code, wait for its approval, keep the access fresh, and
 * when the issuer ends it, show a fresh code. The promise: whatever happened, approving the code on display is all a
 * person has to do; and since the device says by its last ID Token which one it was, an issuer that listens can let its
 * owner do that without typing. It refuses to know what the device is and where it keeps its tokens.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import * as client from 'openid-client';
import { refusalOf, type Issuer } from './issuer.ts';
import { log, reasonOf } from './log.ts';

export type Owner = { sub: string; name: string };
export type Attachment = { refreshToken: string; owner: Owner };
export type Code = { userCode: string; verificationUri: string; verificationUriComplete: string | undefined };
export type DeviceState =
  { phase: 'waiting' | 'signed-out'; code: Code | undefined } | { phase: 'attached'; owner: Owner };

export type Device = { state(): DeviceState; stop(): Promise<void> };

export type DeviceOptions = {
  issuer: Issuer;
  refreshSeconds: number;
  /** An attachment kept from an earlier run. */
  attachment?: Attachment | undefined;
  /** Called with every new refresh token, before it is used, and with nothing once access has ended. */
  keep?: (attachment: Attachment | undefined) => void;
  /** The last ID Token of an earlier run: who this device was, which the end of its access does not change. */
  lastIdToken?: string | undefined;
  /** Called with every new ID Token; with nothing when the issuer would not hear the last one. */
  keepIdToken?: (idToken: string | undefined) => void;
};

const SCOPE = 'openid profile offline_access';
const LONGEST_RETRY_MS = 30_000;
// A code that was denied or has expired is replaced, but not so fast that a broken issuer gets a storm of requests.
const BETWEEN_CODES_MS = 2_000;

export function startDevice({ issuer, refreshSeconds, attachment, keep, ...options }: DeviceOptions): Device {
  const stopping = new AbortController();
  const { signal } = stopping;
  let state: DeviceState = attachment
    ? { phase: 'attached', owner: attachment.owner }
    : { phase: options.lastIdToken === undefined ? 'waiting' : 'signed-out', code: undefined };
  let { lastIdToken } = options;

  const pause = (milliseconds: number) => sleep(milliseconds, undefined, { signal });

  async function live(): Promise<void> {
    const config = await Promise.race([issuer.ready, rejectOn(signal)]);
    let current = attachment;
    for (;;) {
      current ??= await attach(config);
      state = { phase: 'attached', owner: current.owner };
      await stayAttached(config, current);
      current = undefined;
      keep?.(undefined);
      state = { phase: 'signed-out', code: undefined };
      log('device.signed-out');
    }
  }

  /** Shows one code after another until somebody approves one. */
  async function attach(config: client.Configuration): Promise<Attachment> {
    for (;;) {
      const authorization = await persist('device.code', () => askForCode(config));
      showCode({
        userCode: authorization.user_code,
        verificationUri: authorization.verification_uri,
        verificationUriComplete: authorization.verification_uri_complete,
      });
      const tokens = await awaitApproval(config, authorization);
      showCode(undefined);
      if (tokens?.refresh_token) {
        const attached = { refreshToken: tokens.refresh_token, owner: await ownerOf(config, tokens) };
        keep?.(attached);
        rememberIdToken(tokens.id_token);
        return attached;
      }
      if (tokens)
        log('device.no-refresh-token', { hint: 'the client needs the refresh_token grant and offline_access' });
      await pause(BETWEEN_CODES_MS);
    }
  }

  /**
   * Says which device it was, if it was one (`id_token_hint`, OpenID Connect Core §3.1.2.1). It is no credential: an issuer
   * that has forgotten its key, or wants to know nothing of it, is asked again without.
   */
  async function askForCode(config: client.Configuration) {
    if (lastIdToken !== undefined) {
      try {
        return await client.initiateDeviceAuthorization(config, { scope: SCOPE, id_token_hint: lastIdToken });
      } catch (error) {
        const refusal = refusalOf(error);
        if (!refusal) throw error;
        log('device.hint-refused', { refusal });
        rememberIdToken(undefined);
      }
    }
    return client.initiateDeviceAuthorization(config, { scope: SCOPE });
  }

  function rememberIdToken(idToken: string | undefined): void {
    lastIdToken = idToken;
    options.keepIdToken?.(idToken);
  }

  function showCode(code: Code | undefined): void {
    if (state.phase !== 'attached') state = { phase: state.phase, code };
  }

  /** The tokens, or nothing once this code can no longer be approved (denied, expired, or ended by a sign-out). */
  async function awaitApproval(config: client.Configuration, authorization: DeviceAuthorization) {
    const expiresAtMs = Date.now() + authorization.expires_in * 1000;
    let interval = authorization.interval ?? 5;
    for (;;) {
      const remainingMs = expiresAtMs - Date.now();
      if (remainingMs <= 0) return undefined;
      try {
        // The library waits out each interval and honours authorization_pending and slow_down (RFC 8628 §3.5).
        return await client.pollDeviceAuthorizationGrant(config, { ...authorization, interval }, undefined, {
          signal: AbortSignal.any([signal, AbortSignal.timeout(remainingMs)]),
        });
      } catch (error) {
        signal.throwIfAborted();
        const refusal = refusalOf(error);
        if (refusal) {
          log('device.code-ended', { refusal });
          return undefined;
        }
        // An unreachable issuer must be asked ever less often; doubling is what §3.5 suggests.
        interval = Math.min(interval * 2, 60);
      }
    }
  }

  /** Refreshes until the issuer says that access has ended. */
  async function stayAttached(config: client.Configuration, current: Attachment): Promise<void> {
    // A device that starts with a kept token asks at once: it may have been signed out while it was off.
    let waitMs = current === attachment ? 0 : refreshSeconds * 1000;
    let retryMs = 1_000;
    for (;;) {
      await pause(waitMs);
      try {
        const tokens = await client.refreshTokenGrant(config, current.refreshToken);
        if (tokens.refresh_token && tokens.refresh_token !== current.refreshToken) {
          current.refreshToken = tokens.refresh_token;
          keep?.(current);
        }
        // Newer is better: the key that signed an old one may be gone.
        if (tokens.id_token) rememberIdToken(tokens.id_token);
        waitMs = refreshSeconds * 1000;
        retryMs = 1_000;
      } catch (error) {
        const refusal = refusalOf(error);
        if (refusal === 'invalid_grant') return;
        log('device.refresh-failed', { reason: refusal ?? reasonOf(error) });
        waitMs = retryMs;
        retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
      }
    }
  }

  /** Tries until it works, ever less often. */
  async function persist<T>(event: string, attempt: () => Promise<T>): Promise<T> {
    for (let retryMs = 1_000; ; retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS)) {
      try {
        return await attempt();
      } catch (error) {
        log(`${event}-failed`, { reason: refusalOf(error) ?? reasonOf(error) });
        await pause(retryMs);
      }
    }
  }

  const living = live().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });

  return {
    state: () => state,
    // A refresh under way is let finish: its new refresh token must be kept, the old one is already spent.
    async stop() {
      stopping.abort();
      await living;
    },
  };
}

type DeviceAuthorization = Awaited<ReturnType<typeof client.initiateDeviceAuthorization>>;
type Tokens = Awaited<ReturnType<typeof client.pollDeviceAuthorizationGrant>>;

async function ownerOf(config: client.Configuration, tokens: Tokens): Promise<Owner> {
  const sub = tokens.claims()?.sub ?? '';
  try {
    const person = await client.fetchUserInfo(config, tokens.access_token, sub);
    return { sub, name: person.name ?? person.preferred_username ?? sub };
  } catch (error) {
    // A name is a courtesy: without one the device works all the same.
    log('device.name-unknown', { reason: reasonOf(error) });
    return { sub, name: sub };
  }
}

function rejectOn(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('stopping')), { once: true });
  });
}
