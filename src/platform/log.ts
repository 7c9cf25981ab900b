/**
 * The log: one JSON line per named event.
 *
 * Purpose: tell an operator what happened, in words that can be searched and counted. Invariant: a line never carries a
 * token, a password, SAML XML, or anything that names a person (security.md, "Secrets at rest" covers logs), even when a
 * caller hands over an object that holds one; one event is one line, whatever its values contain; and a full disk costs
 * lines, never the process that writes them. It refuses to know where lines are kept, and which event matters to whom.
 */
import { writeSync } from 'node:fs';

import { pino, type Logger } from 'pino';
import { type Clock, systemClock } from './clock.ts';

/** Levels, quietest last. `silent` writes nothing. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** An event's name in the domain's words: `delivery.rejected`, `server.listening`. Never built from input. */
export type EventName = `${string}.${string}`;

/** Writes one line: `log.info({ client, attempts }, 'delivery.rejected')`, or the name alone. Never throws. */
export type LogMethod = {
  (fields: Record<string, unknown>, event: EventName): void;
  (event: EventName): void;
};

/** What every room receives to write events with; small enough for a test to fake. */
export type Log = {
  debug: LogMethod;
  info: LogMethod;
  warn: LogMethod;
  error: LogMethod;
  fatal: LogMethod;
  /** A log that adds `fields` to each of its lines. */
  child(fields: Record<string, unknown>): Log;
};

/** Where lines go. Anything but the two names takes one complete line, newline included, per call. */
export type LogDestination = 'stdout' | 'stderr' | { write(line: string): void };

/**
 * A log that writes events of `level` and above to `destination` (default `stdout`, the server's; commands keep stdout
 * for their results and pass `stderr`). Lines are written synchronously: the last one before a crash is there. Those that
 * cannot be written are lost, and stderr says so once.
 *
 * Fields whose name may hold a secret or a person's data are written as `[redacted]` at any depth, objects deeper than
 * three levels as `[deep]`, errors as name, message, stack, code and the same of their causes; bearer values and mail
 * addresses inside text are cut out.
 */
export function createLog(options: { level: LogLevel; destination?: LogDestination; clock?: Clock }): Log {
  const { level, destination = 'stdout', clock = systemClock } = options;
  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'event',
      timestamp: () => `,"time":"${clock.now().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      // The library's own would merge the causes of an already presented error into one text again.
      serializers: { err: (shown: unknown) => shown },
    },
    surviving(typeof destination === 'string' ? toDescriptor(DESCRIPTORS[destination]) : destination),
  );
  return around(logger);
}

const DESCRIPTORS = { stdout: 1, stderr: 2 };

/**
 * Loses what cannot be written (a full disk, an I/O error, a reader that has gone), because an identity provider that
 * ends with its disk lets nobody sign out. It tries again with every line: a disk does not stay full for ever.
 */
function surviving(destination: { write(line: string): void }): { write(line: string): void } {
  let told = false;
  return {
    write(line) {
      try {
        destination.write(line);
      } catch (fault) {
        if (told) return;
        told = true;
        const { code = 'unknown error' } = fault as NodeJS.ErrnoException;
        try {
          writeSync(
            DESCRIPTORS.stderr,
            `curfew: the log cannot be written (${code}); its lines are lost until it can\n`,
          );
        } catch {
          // Then there is nobody left to tell.
        }
      }
    },
  };
}

const PATIENCE_MS = 1000;
const LOOK_AGAIN_MS = 10;

/**
 * The library's own destination keeps what it could not write, without bound, and reports it by an event that ends the
 * process. This one throws, and keeps nothing.
 */
function toDescriptor(descriptor: number): { write(line: string): void } {
  // Of a line that was cut off, so that the next one does not become its end.
  let half = false;
  // A reader that does not read is waited for once, and not again for each line until it reads.
  let stuck = false;
  return {
    write(line) {
      let rest = Buffer.from(half ? `\n${line}` : line);
      const deadline = performance.now() + (stuck ? 0 : PATIENCE_MS);
      while (rest.length > 0) {
        const written = writeSome(descriptor, rest);
        if (written > 0) {
          rest = rest.subarray(written);
          half = rest.length > 0;
          stuck = false;
        } else if (performance.now() < deadline) {
          Atomics.wait(NOBODY, 0, 0, LOOK_AGAIN_MS);
        } else {
          stuck = true;
          throw Object.assign(new Error('nobody reads the log'), { code: 'EAGAIN' });
        }
      }
    },
  };
}

/** Waited on, and never woken. */
const NOBODY = new Int32Array(new SharedArrayBuffer(4));

/** How many bytes were taken: none where a pipe is full just now. */
function writeSome(descriptor: number, bytes: Uint8Array): number {
  try {
    return writeSync(descriptor, bytes);
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
    throw fault;
  }
}

function around(logger: Logger): Log {
  const method = (level: 'debug' | 'info' | 'warn' | 'error' | 'fatal'): LogMethod => {
    return (first: Record<string, unknown> | EventName, event?: EventName) => {
      if (!logger.isLevelEnabled(level)) return;
      if (typeof first === 'string') logger[level](first);
      else logger[level](presentable(first), event);
    };
  };
  return {
    debug: method('debug'),
    info: method('info'),
    warn: method('warn'),
    error: method('error'),
    fatal: method('fatal'),
    child: (fields) => around(logger.child(presentable(fields))),
  };
}

// Compared in lower case without `_` and `-`, so client_secret, clientSecret and Client-Secret are one name.
const PRIVATE_KEYS = new Set(
  [
    'code deviceCode userCode authorization proxyAuthorization cookie cookies setCookie jwt jwk jwks assertion',
    'clientAssertion idTokenHint loginHint codeVerifier nonce state relayState otp totp seed pepper root index key',
    'privateKey passwordHash hash salt samlResponse samlRequest xml body form payload query search returnTo',
    'email emails emailAddress mail to username login displayName givenName familyName nickname phone phoneNumber',
    'ip ipAddress remoteAddress clientIp forwarded xForwardedFor userAgent nameId subject upstreamSubject',
  ]
    .join(' ')
    .split(' ')
    .map(plainName),
);
const PRIVATE_ENDINGS = /(?:token|secret|password|passphrase|credential|credentials|cookie|cookies|apikey)$/;

const DEEPEST = 3;
const LONGEST_TEXT = 8192;
const LONGEST_LIST = 50;
const LONGEST_CAUSE_CHAIN = 5;

function plainName(key: string): string {
  return key.toLowerCase().replaceAll(/[_-]/g, '');
}

function isPrivate(key: string): boolean {
  const name = plainName(key);
  return PRIVATE_KEYS.has(name) || PRIVATE_ENDINGS.test(name);
}

function presentable(fields: Record<string, unknown>): Record<string, unknown> {
  return presentObject(fields, 1);
}

function presentObject(source: object, depth: number): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const key of Object.keys(source)) {
    // pino writes the first three itself, and a field must not forge them in the same line; a name that every object has
    // (`__proto__`, `hasOwnProperty`) would change the shown object instead of filling it.
    const taken = (depth === 1 && (key === 'level' || key === 'time' || key === 'event')) || key in Object.prototype;
    const name = taken ? `${key}_` : key;
    shown[name] = isPrivate(key) ? '[redacted]' : presentProperty(source, key, depth);
  }
  return shown;
}

function presentProperty(source: object, key: string, depth: number): unknown {
  try {
    return present((source as Record<string, unknown>)[key], depth);
  } catch {
    return '[unreadable]'; // A getter that throws must not take the caller down with it.
  }
}

function present(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return scrubText(value);
    case 'bigint':
      return value.toString();
    case 'function':
    case 'symbol':
      return `[${typeof value}]`;
    case 'object':
      break;
    default:
      return value;
  }
  if (value === null) return null;
  if (value instanceof Error) return presentError(value, LONGEST_CAUSE_CHAIN);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '[invalid date]' : value.toISOString();
  if (value instanceof URL) return value.origin + value.pathname;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return '[bytes]';
  if (depth >= DEEPEST) return '[deep]';
  if (Array.isArray(value)) {
    const shown = value.slice(0, LONGEST_LIST).map((item) => present(item, depth + 1));
    return value.length > LONGEST_LIST ? [...shown, `[${value.length - LONGEST_LIST} more]`] : shown;
  }
  return presentObject(value, depth + 1);
}

// Only these: library errors carry requests, payloads and options as extra properties, secrets included.
function presentError(error: Error, chain: number): Record<string, unknown> {
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  const shown: Record<string, unknown> = { name: error.name, message: scrubText(error.message) };
  if (typeof error.stack === 'string') shown.stack = scrubText(error.stack);
  if (typeof code === 'string' || typeof code === 'number') shown.code = code;
  if (cause instanceof Error && chain > 1) shown.cause = presentError(cause, chain - 1);
  return shown;
}

// Bounded repetitions only: text may come from an attacker, and matching must stay linear in its length.
const SCRUBBED: [RegExp, string][] = [
  [/<(?:\?xml|!DOCTYPE|[\w-]{0,20}:?(?:Response|Assertion|EncryptedAssertion|LogoutRe))[\s\S]*/g, '[xml]'],
  [/eyJ[\w-]{8,}\.[\w-]*(?:\.[\w-]*){0,3}/g, '[token]'],
  [/\b(Bearer|Basic|DPoP)\s{1,4}[\w.~+/=-]{4,}/gi, '$1 [redacted]'],
  [
    /([?&#;\s"'](?:code|state|nonce|user_code|username|email|[a-z_]{0,30}(?:token|secret|password|assertion|hint))["']?\s?[=:]\s?["']?)[^&\s"',}]{1,4096}/gi,
    '$1[redacted]',
  ],
  [/[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}/g, '[mail address]'],
];

function scrubText(text: string): string {
  const kept = text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)} [cut]` : text;
  return SCRUBBED.reduce((scrubbed, [pattern, replacement]) => scrubbed.replace(pattern, replacement), kept);
}
