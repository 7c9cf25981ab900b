/**
 * The only way out to the network.
 *
 * Purpose: call the URLs that Clients registered, and nothing else that can be reached from here. Invariant: the address
 * is judged at connect time, after it was resolved, and the connection goes to that very address, so a name that changes
 * its mind (DNS rebinding) gains nothing; redirects are never followed; time, bytes and connections are bounded for each
 * call and each origin. It refuses to know what is sent and what an answer means.
 *
 * Plain http is allowed to any host: an http URL in a Client's metadata is its registrar's decision, and what leaves here
 * (a Logout Token) is signed, short-lived and opens nothing. Where https is used it is always verified.
 */
import { lookup as systemLookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, buildConnector } from 'undici';
import { type Allowed, allowed, specialRange } from './addresses.ts';
import { type Clock, systemClock } from './clock.ts';
import { type BoundedBody, createGate, readBody } from './outbound-bounds.ts';
import {
  failed,
  failureFrom,
  OutboundFailed,
  type OutboundFailure,
  type OutboundOutcome,
  RefusedAddress,
  retryAfterSeconds,
} from './outbound-outcome.ts';

export { OutboundFailed } from './outbound-outcome.ts';
export type { OutboundAnswer, OutboundFailure, OutboundFailureReason, OutboundOutcome } from './outbound-outcome.ts';

/** Finds every address of a name. Rejects as `dns.lookup` does. */
export type Lookup = (hostname: string) => Promise<{ address: string; family: number }[]>;

/** The bounds of every call. */
export type OutboundOptions = {
  /** `outbound.allow`: host names and CIDRs that may be called although their addresses are not the world's. */
  allow: readonly string[];
  /** From the call to the answer's headers, name resolution and queueing included. Default 5. */
  timeoutSeconds?: number;
  /** How much of a body is read. Default 65536. */
  maxBytes?: number;
  /** Calls in flight to one origin; further ones wait, within their own timeout. Default 2. */
  connectionsPerOrigin?: number;
  /** Default: the system's resolver. */
  lookup?: Lookup;
  /** PEM certificates trusted instead of the system's. An operator's private authority goes in `NODE_EXTRA_CA_CERTS`. */
  certificateAuthorities?: string[];
  clock?: Clock;
};

/** A form to post. */
export type OutboundForm = {
  form: Record<string, string>;
  headers?: Record<string, string>;
  signal?: AbortSignal;
};

/** What `createOutbound` returns. */
export type Outbound = {
  /**
   * Posts a form. Answered once headers are in: a body that is longer than `maxBytes` or takes more than a second is cut,
   * and the connection dropped. Never rejects.
   */
  post(url: string, request: OutboundForm): Promise<OutboundOutcome>;
  /**
   * The global `fetch`, within the same bounds: for documents that Clients publish (`jwks_uri`, `sector_identifier_uri`).
   * Never follows redirects. The body is whole or the promise rejects, with `OutboundFailed`.
   */
  fetch(url: string | URL, init?: OutboundFetch): Promise<Response>;
  /** Lets calls in flight finish and closes every connection. */
  close(): Promise<void>;
};

/** What `Outbound.fetch` understands of `RequestInit`; the rest is ignored. */
export type OutboundFetch = {
  method?: string;
  headers?: ConstructorParameters<typeof Headers>[0];
  body?: string | URLSearchParams | null;
  signal?: AbortSignal | null;
};

type Exchange = {
  url: string;
  method: 'GET' | 'POST';
  headers: Record<string, string>;
  body?: string;
  signal?: AbortSignal | null | undefined;
  bodyMilliseconds: number;
};
type Received = BoundedBody & { status: number; headers: Record<string, string> };

const POST_BODY_MILLISECONDS = 1000;

/** Opens the way out. Entries of `allow` that do not parse are a `TypeError`. */
export function createOutbound(options: OutboundOptions): Outbound {
  const { timeoutSeconds = 5, maxBytes = 65_536, connectionsPerOrigin = 2, clock = systemClock } = options;
  const timeoutMilliseconds = timeoutSeconds * 1000;
  const agent = new Agent({
    connect: guardedConnector(options, timeoutMilliseconds),
    // Our own timer covers the whole call; the library's would each start anew.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const gate = createGate(connectionsPerOrigin);

  async function exchange(call: Exchange): Promise<Received | OutboundFailure> {
    const target = callable(call.url);
    if ('kind' in target) return target;
    const { origin, hostname } = target;

    const controller = new AbortController();
    let stop!: (failure: OutboundFailure) => void;
    const stopped = new Promise<OutboundFailure>((resolve) => {
      stop = (failure) => {
        controller.abort();
        resolve(failure);
      };
    });
    const timer = clock.setTimer(timeoutMilliseconds, () =>
      stop(failed('timeout', `${hostname} did not answer within ${timeoutSeconds} s`)),
    );
    const abort = (): void => stop(failed('aborted', 'the call was given up'));
    if (call.signal?.aborted) abort();
    call.signal?.addEventListener('abort', abort, { once: true });

    const leave = await gate.enter(origin, controller.signal);
    try {
      if (!leave) return await stopped;
      const answering = agent
        .request({
          origin,
          path: target.pathname + target.search,
          method: call.method,
          headers: call.headers,
          body: call.body ?? null,
          signal: controller.signal,
        })
        .catch((error: unknown) => failureFrom(error, hostname));
      // A race, because the library heeds the signal only once it is connected.
      const answer = await Promise.race([answering, stopped]);
      if ('kind' in answer) return controller.signal.aborted ? await stopped : answer;
      timer.cancel();
      const body = await readBody(answer.body, { maxBytes, milliseconds: call.bodyMilliseconds, clock });
      return { status: answer.statusCode, headers: flat(answer.headers), ...body };
    } finally {
      timer.cancel();
      call.signal?.removeEventListener('abort', abort);
      // The library takes a connection back one turn after its answer has ended; a place freed sooner would open another.
      if (leave) setImmediate(leave);
    }
  }

  return {
    async post(url, { form, headers = {}, signal }) {
      const received = await exchange({
        url,
        method: 'POST',
        headers: {
          'user-agent': 'Curfew',
          accept: '*/*',
          ...lowerCased(headers),
          'content-type': 'application/x-www-form-urlencoded',
        },
        body: new URLSearchParams(form).toString(),
        signal,
        bodyMilliseconds: POST_BODY_MILLISECONDS,
      });
      if ('kind' in received) return received;
      const retryAfter = retryAfterSeconds(received.headers['retry-after'], clock);
      return {
        kind: 'answered',
        status: received.status,
        ...(retryAfter !== undefined && { retryAfterSeconds: retryAfter }),
        headers: received.headers,
        body: received.bytes.toString('utf8'),
        truncated: received.cut !== undefined,
      };
    },

    async fetch(url, init = {}) {
      const method = (init.method ?? 'GET').toUpperCase();
      if (method !== 'GET' && method !== 'POST') throw new TypeError('only GET and POST leave here');
      const headers = new Headers(init.headers);
      if (init.body instanceof URLSearchParams && !headers.has('content-type')) {
        headers.set('content-type', 'application/x-www-form-urlencoded;charset=UTF-8');
      }
      const received = await exchange({
        url: String(url),
        method,
        headers: Object.fromEntries(headers),
        ...(init.body != null && { body: String(init.body) }),
        signal: init.signal,
        bodyMilliseconds: timeoutMilliseconds,
      });
      if ('kind' in received) throw new OutboundFailed(received.reason, received.detail);
      // Half a key set would parse as none, or not at all: better no answer than part of one.
      if (received.cut === 'size') throw new OutboundFailed('too-large', `the answer is longer than ${maxBytes} bytes`);
      if (received.cut === 'time') throw new OutboundFailed('timeout', 'the answer did not end in time');
      if (received.cut && init.signal?.aborted) throw new OutboundFailed('aborted', 'the call was given up');
      if (received.cut) throw new OutboundFailed('connection', 'the connection broke within the answer');
      const empty = received.status === 204 || received.status === 205 || received.status === 304;
      return new Response(empty ? null : new Uint8Array(received.bytes), {
        status: received.status,
        headers: received.headers,
      });
    },

    close: () => agent.close(),
  };
}

function callable(url: string): URL | OutboundFailure {
  if (!URL.canParse(url)) return failed('refused-address', 'this is not a URL');
  const target = new URL(url);
  if (target.protocol !== 'https:' && target.protocol !== 'http:') {
    return failed('refused-address', 'only http and https URLs are called');
  }
  if (target.username !== '' || target.password !== '') {
    return failed('refused-address', 'a URL with a user name or password is not called');
  }
  return target;
}

// Judges the address that is about to be used, and once more the one that was.
export function guardedConnector(options: OutboundOptions, timeoutMilliseconds: number): buildConnector.connector {
  const allow = allowed(options.allow);
  const { certificateAuthorities } = options;
  const connect = buildConnector({
    lookup: guardedLookup(options.lookup ?? ((hostname) => systemLookup(hostname, { all: true })), allow),
    timeout: timeoutMilliseconds,
    rejectUnauthorized: true, // Said aloud, so that no environment variable can unsay it.
    ...(certificateAuthorities && { ca: certificateAuthorities }),
  } as buildConnector.BuildOptions);
  return (target, callback) => {
    const { hostname } = target;
    const refusal = (address: string): RefusedAddress | undefined => refuse(allow, hostname, address);
    const literal = isIP(hostname) === 0 ? undefined : refusal(hostname);
    if (literal) {
      queueMicrotask(() => callback(literal, null));
      return;
    }
    connect(target, (...[error, socket]) => {
      if (!socket) return callback(error, null);
      const reached = socket.remoteAddress === undefined ? undefined : refusal(socket.remoteAddress);
      if (!reached) return callback(null, socket);
      socket.destroy();
      callback(reached, null);
    });
  };
}

function guardedLookup(lookup: Lookup, allow: Allowed): LookupFunction {
  return (hostname, { all }, callback) => {
    const answer = (error: Error | null, usable: { address: string; family: number }[]): void => {
      const [first] = usable;
      const { address, family } = first ?? { address: '', family: 4 };
      // Outside the promise: what the callback throws is not the resolver's failure.
      process.nextTick(() => (all ? callback(error, usable) : callback(error, address, family)));
    };
    lookup(hostname).then(
      (found) => {
        const usable = found.filter(({ address }) => !refuse(allow, hostname, address));
        const [first] = found;
        if (usable.length > 0) return answer(null, usable);
        if (first) return answer(refuse(allow, hostname, first.address) ?? null, []);
        answer(Object.assign(new Error('no address'), { code: 'ENOTFOUND' }), []);
      },
      (error: Error) => answer(error, []),
    );
  };
}

function refuse(allow: Allowed, hostname: string, address: string): RefusedAddress | undefined {
  const range = specialRange(address);
  if (range === undefined || allow.host(hostname) || allow.address(address)) return undefined;
  return new RefusedAddress(hostname, range);
}

function flat(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const one: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) one[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return one;
}

const lowerCased = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
