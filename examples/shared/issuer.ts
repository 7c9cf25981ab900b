/**
 * The issuer, found by discovery and by nothing else. An app that starts before its issuer waits for it; it never dies
 * of it, and never guesses an endpoint.
 */
import { setTimeout as pause } from 'node:timers/promises';
import {
  allowInsecureRequests,
  type CustomFetch,
  customFetch,
  discovery,
  ResponseBodyError,
  type ClientAuth,
  type Configuration,
} from 'openid-client';
import { log, reasonOf } from './log.ts';

const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 5_000;
const REQUEST_TIMEOUT_SECONDS = 5;

export type Issuer = {
  /** Resolves when the issuer has answered, however long that takes. */
  ready: Promise<Configuration>;
  /** The configuration if it is there within this time. */
  within(milliseconds: number): Promise<Configuration | undefined>;
};

export type Asking = {
  url: URL;
  clientId: string;
  auth: ClientAuth;
  /** What this device calls itself, so that its owner recognises it in the issuer's list of devices. */
  device?: string;
};

export function findIssuer({ url, clientId, auth, device }: Asking): Issuer {
  const ready = discoverPatiently();

  async function discoverPatiently(): Promise<Configuration> {
    // Development issuers live on loopback over http; everything else is held to https.
    const execute = url.protocol === 'http:' ? [allowInsecureRequests] : [];
    let lastReason = '';
    for (let retryMs = FIRST_RETRY_MS; ; retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS)) {
      try {
        return await discovery(url, clientId, undefined, auth, {
          execute,
          timeout: REQUEST_TIMEOUT_SECONDS,
          ...(device && { [customFetch]: introducing(device) }),
        });
      } catch (error) {
        const reason = reasonOf(error);
        if (reason !== lastReason) log('issuer.waiting', { issuer: url.href, reason });
        lastReason = reason;
        await pause(retryMs);
      }
    }
  }

  return {
    ready,
    within: (milliseconds) => Promise.race([ready, pause(milliseconds, undefined, { ref: false })]),
  };
}

/** Every request says which device it comes from (RFC 9110 §10.1.5). */
function introducing(device: string): CustomFetch {
  const userAgent = `${device.replaceAll(/[^\x20-\x7e]/g, '?')}/1.0`;
  return (url, options) => {
    const headers = new Headers(options.headers);
    headers.set('user-agent', userAgent);
    return fetch(url, { ...options, headers } as RequestInit);
  };
}

/**
 * The issuer's final word (RFC 6749 §5.2), or nothing if it could not be asked or is in trouble itself: those are tried
 * again, they say nothing about a sign-in.
 */
export function refusalOf(error: unknown): string | undefined {
  return error instanceof ResponseBodyError && error.status < 500 && error.status !== 429 ? error.error : undefined;
}
