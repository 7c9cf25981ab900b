/**
 * What can come of a call, in words that may be kept and shown.
 *
 * Purpose: turn whatever the network, the resolver or TLS did into one of a few outcomes. Invariant: a `detail` is made of
 * our own words, a host name, and an error code, never of what the other side sent or what we sent. It refuses to know
 * which outcomes deserve another try.
 */
import type { Clock } from './clock.ts';

/** What came of a call. Every expected failure is a value. */
export type OutboundOutcome = OutboundAnswer | OutboundFailure;

/** The other side answered, with whatever status. */
export type OutboundAnswer = {
  kind: 'answered';
  status: number;
  /** From `Retry-After` (RFC 9110 §10.2.3), 0 to 3600. Absent when not sent or not understood. */
  retryAfterSeconds?: number;
  /** Lower-case names; repeated ones joined by `, `. */
  headers: Record<string, string>;
  /** At most `maxBytes`, decoded as UTF-8. */
  body: string;
  /** There was more to read, or it came too slowly; `body` is what came in time. */
  truncated: boolean;
};

/** Why there was no answer. A URL that Curfew does not call at all is a `refused-address`. */
export type OutboundFailureReason = 'refused-address' | 'timeout' | 'connection' | 'tls' | 'dns' | 'aborted';

/** No answer. */
export type OutboundFailure = {
  kind: 'failed';
  reason: OutboundFailureReason;
  /** For an operator: no path, query, header, body or resolved address in it. */
  detail: string;
};

/** What `Outbound.fetch` rejects with, since `fetch` has no other way to say it. The message is safe to keep. */
export class OutboundFailed extends Error {
  override readonly name = 'OutboundFailed';
  readonly reason: OutboundFailureReason | 'too-large';
  constructor(reason: OutboundFailureReason | 'too-large', detail: string) {
    super(detail);
    this.reason = reason;
  }
}

/** Thrown inside a connection attempt to an address that nobody opened. */
export class RefusedAddress extends Error {
  override readonly name = 'RefusedAddress';
  constructor(hostname: string, range: string) {
    super(`${hostname} is at a ${range} address, which Curfew calls only if outbound.allow lists it`);
  }
}

/** A failure as a value. */
export const failed = (reason: OutboundFailureReason, detail: string): OutboundFailure => ({
  kind: 'failed',
  reason,
  detail,
});

const DNS_CODES = /^(ENOTFOUND|EAI_\w+|ENODATA|ESERVFAIL|EREFUSED|EBADNAME|EBADRESP|ENOTIMP|EFORMERR)$/;
const TLS_CODES =
  /^(ERR_TLS_|ERR_SSL_|CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH|INVALID_|EPROTO$|PATH_LENGTH)/;

/** Names what `error`, thrown while `hostname` was called, was about. */
export function failureFrom(error: unknown, hostname: string): OutboundFailure {
  const chain = causes(error);
  const refused = chain.find((cause) => cause instanceof RefusedAddress);
  if (refused) return failed('refused-address', refused.message);
  const codes = chain.map((cause) => (cause as NodeJS.ErrnoException).code).filter((code) => typeof code === 'string');
  const code = codes[0] ?? 'unknown error';
  if (codes.some((each) => DNS_CODES.test(each))) return failed('dns', `${hostname} cannot be resolved (${code})`);
  if (codes.some((each) => TLS_CODES.test(each))) {
    return failed('tls', `no trusted TLS connection to ${hostname} (${code})`);
  }
  // Several addresses were tried: one that refused says more than one that never answered.
  const timedOut = codes.every((each) => each === 'ETIMEDOUT' || each === 'UND_ERR_CONNECT_TIMEOUT');
  if (codes.length > 0 && timedOut)
    return failed('timeout', `${hostname} did not accept a connection in time (${code})`);
  if (code === 'UND_ERR_CLOSED' || code === 'UND_ERR_DESTROYED') return failed('aborted', 'Curfew is shutting down');
  return failed('connection', `the connection to ${hostname} failed (${code})`);
}

// Depth and breadth are bounded: a cause may be its own cause.
function causes(error: unknown, depth = 4): Error[] {
  if (!(error instanceof Error) || depth === 0) return [];
  const tried: unknown[] = error instanceof AggregateError ? error.errors.slice(0, 8) : [];
  return [error, ...[error.cause, ...tried].flatMap((cause) => causes(cause, depth - 1))];
}

const LONGEST_RETRY_AFTER_SECONDS = 3600;
const IMF_FIXDATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** Seconds to wait according to a `Retry-After` value (delay or HTTP-date, RFC 9110 §10.2.3), 0 to 3600. */
export function retryAfterSeconds(value: string | undefined, clock: Clock): number | undefined {
  const text = value?.trim() ?? '';
  let seconds: number;
  if (/^\d{1,15}$/.test(text)) seconds = Number(text);
  else if (IMF_FIXDATE.test(text)) seconds = Math.ceil((Date.parse(text) - clock.now().getTime()) / 1000);
  else return undefined;
  if (Number.isNaN(seconds)) return undefined;
  return Math.min(Math.max(seconds, 0), LONGEST_RETRY_AFTER_SECONDS);
}
