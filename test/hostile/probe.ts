/**
 * What every hostile test needs: requests sent byte by byte, a look at what the store holds, and the rules that hold
 * whatever was sent: nothing answers 5xx, every event is one JSON line, and a refusal changes nothing.
 */
import { createHash } from 'node:crypto';
import { connect, createServer, type Socket } from 'node:net';

import { afterAll, afterEach, beforeAll, expect } from 'vitest';

import { noteEpochs, withLineage } from '../../src/oidc/lineage.ts';
import type { Browser } from '../support/browser.ts';
import { type Row, unattended } from '../support/store-under-test.ts';
import { world, type World, type WorldOptions } from '../support/world.ts';

/** Never a scheme, host or element of ours: where it shows up, input was believed or reflected. */
export const CANARY = '<b>canary</b>';

export type HostileWorld = World & {
  /** The port, whatever the issuer says. */
  readonly port: number;
  /** Bytes to the server, and its answer. */
  send(request: RawRequest): Promise<RawAnswer>;
  /** What the store holds, but for counters and browsers nobody is signed in to. */
  holdings(): Promise<string[]>;
  /** Runs something hostile; what it wrote or changed, as `+` and `-` lines. */
  changes(act: () => Promise<unknown>): Promise<string[]>;
};

export type HostileOptions = WorldOptions & {
  /** Faults of ours are part of the test: 503 is expected. 500 never is. */
  readonly faults?: boolean;
};

const open: { hostile: HostileWorld; faults: boolean }[] = [];

afterEach(() => {
  for (const { hostile, faults } of open.splice(0)) judgeLog(hostile, faults);
});

/** A world under attack. Ends with the test, which fails if anything was answered with 5xx or logged in two lines. */
export async function hostileWorld({ faults = false, ...options }: HostileOptions = {}): Promise<HostileWorld> {
  const made = await world(options);
  const { port } = made.config.listen;
  const hostile: HostileWorld = Object.assign(Object.create(made) as World, {
    port,
    send: (request: RawRequest) => sendRaw(port, request),
    holdings: () => holdingsOf(made),
    async changes(act: () => Promise<unknown>) {
      const before = await holdingsOf(made);
      await act();
      return difference(before, await holdingsOf(made));
    },
  });
  open.push({ hostile, faults });
  return hostile;
}

/**
 * One world for the tests of a file that leave it as it was. Each uses browsers of its own; what one adds (a sign-in),
 * none of the others may notice.
 */
export function sharedWorld(options: HostileOptions = {}): () => HostileWorld {
  let shared: HostileWorld | undefined;
  const get = (): HostileWorld => {
    if (shared === undefined) throw new Error('the shared world is there only while tests run');
    return shared;
  };
  beforeAll(async () => {
    shared = await hostileWorld({ ...options, lasts: true });
    open.splice(0);
  });
  afterEach(() => judgeLog(get(), options.faults === true));
  afterAll(() => get().stop());
  return get;
}

const judged = new WeakMap<readonly string[], number>();

function judgeLog({ logged }: HostileWorld, faults: boolean): void {
  const fresh = logged.slice(judged.get(logged) ?? 0);
  judged.set(logged, logged.length);
  for (const line of fresh) {
    expect([line, line.indexOf('\n')]).toEqual([line, line.length - 1]);
    const { event, status = 0 } = JSON.parse(line) as { event: string; status?: number };
    const ours = /^(http|provider)\.failed$/.test(event) && !faults;
    expect([line, ours, status < 500 || (faults && status === 503)]).toEqual([line, false, true]);
  }
}

/** Every status the app answered with so far. */
export function answered({ logged }: World): number[] {
  return logged
    .map((line) => JSON.parse(line) as { event: string; status: number })
    .filter(({ event }) => event === 'http.answered')
    .map(({ status }) => status);
}

export type RawRequest = {
  readonly method?: string;
  /** The request target, sent as it is. */
  readonly path: string;
  /** In order; repeated names stay repeated. */
  readonly headers?: readonly (readonly [string, string])[];
  /** A form is encoded; text and bytes are sent as they are. */
  readonly body?: URLSearchParams | string | Uint8Array;
  /** Instead of our own Host header; null sends none. */
  readonly host?: string | null;
};

export type RawAnswer = {
  readonly status: number;
  /** Lower-case names, in order, repeated ones repeated. */
  readonly headers: readonly (readonly [string, string])[];
  readonly text: string;
  /** A header's value; undefined when it is not there. */
  header(name: string): string | undefined;
  /** `Set-Cookie` values. */
  readonly cookies: readonly string[];
  readonly json: Record<string, unknown>;
};

/** Sends one request and reads until the server closes. Nothing is normalised, validated or followed. */
function sendRaw(port: number, { method, path, headers = [], body, host }: RawRequest): Promise<RawAnswer> {
  const bytes =
    body === undefined ? undefined : body instanceof Uint8Array ? Buffer.from(body) : Buffer.from(String(body));
  const lines = [`${method ?? (body === undefined ? 'GET' : 'POST')} ${path} HTTP/1.1`];
  if (host !== null) lines.push(`Host: ${host ?? `localhost:${port}`}`);
  const given = new Set(headers.map(([name]) => name.toLowerCase()));
  if (body instanceof URLSearchParams && !given.has('content-type')) {
    lines.push('Content-Type: application/x-www-form-urlencoded');
  }
  if (bytes !== undefined && !given.has('content-length') && !given.has('transfer-encoding')) {
    lines.push(`Content-Length: ${bytes.length}`);
  }
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  lines.push('Connection: close', '', '');
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, '127.0.0.1');
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', (fault: NodeJS.ErrnoException) => {
      // A server that has answered need not read the rest.
      if (chunks.length > 0 || fault.code !== 'ECONNRESET') return;
      reject(fault);
    });
    socket.on('close', () => {
      try {
        resolve(parseAnswer(Buffer.concat(chunks)));
      } catch (fault) {
        reject(fault as Error);
      }
    });
    socket.write(Buffer.concat([Buffer.from(lines.join('\r\n'), 'latin1'), bytes ?? Buffer.alloc(0)]));
  });
}

export function parseAnswer(raw: Buffer): RawAnswer {
  const end = raw.indexOf('\r\n\r\n');
  if (end < 0) throw new Error(`no answer: ${JSON.stringify(raw.toString('latin1').slice(0, 200))}`);
  const [statusLine = '', ...headerLines] = raw.subarray(0, end).toString('latin1').split('\r\n');
  const headers = headerLines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  const header = (wanted: string): string | undefined => headers.find(([name]) => name === wanted)?.[1];
  let body = raw.subarray(end + 4);
  if (header('transfer-encoding') === 'chunked') body = withoutChunks(body);
  const text = body.toString();
  return {
    status: Number(statusLine.split(' ')[1]),
    headers,
    text,
    header,
    cookies: headers.filter(([name]) => name === 'set-cookie').map(([, value]) => value),
    get json() {
      return JSON.parse(text) as Record<string, unknown>;
    },
  };
}

function withoutChunks(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const line = body.indexOf('\r\n', at);
    const size = line < 0 ? 0 : Number.parseInt(body.subarray(at, line).toString('latin1'), 16);
    if (!(size > 0)) return Buffer.concat(parts);
    parts.push(body.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}

/** A connection held open by hand. */
export function hold(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.once('error', reject);
  });
}

const OWN_MODELS = new Set(['MailedLink', 'HalfWaySignIn', 'WaitingDevice']);
const COUNTERS = new Set(['failures', 'attempts', 'pings', 'sqlite_sequence', 'house']);

async function holdingsOf({ database, core }: World): Promise<string[]> {
  return Object.entries(unattended(await database.rows()))
    .filter(([table]) => !COUNTERS.has(table))
    .flatMap(([table, rows]) =>
      rows
        // That somebody was refused is counted as well as recorded.
        .filter(({ kind }) => table !== 'events' || kind !== 'sign-in.refused')
        .flatMap((row) => (table === 'artifacts' ? artifact(row, core.keyring) : [row]))
        .map((row) => `${table} ${JSON.stringify(row, readable)}`),
    )
    .sort();
}

// Keys in one order: a payload saved again is the same payload.
function readable(_name: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return digestOf(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
const digestOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex').slice(0, 12);

/** What an artifact says, without what each visit of its browser renews; nothing for a browser nobody is signed in to. */
function artifact(row: Row, keyring: World['core']['keyring']): Row[] {
  const model = String(row['model']);
  if (model === 'Session' && row['accountId'] == null) return [];
  const key = row['key'] as Uint8Array;
  const field = /^UpstreamSignOut(Return)?$/.test(model) ? 'UpstreamSession' : model;
  const sealed = { collection: 'artifacts', field, id: Buffer.from(key).toString('base64url') };
  const { id: _id, order: _order, expiresAt: _expires, ...kept } = row;
  const text = String(row['payload']);
  // Sealed for rooms of their own, which alone read them.
  if (OWN_MODELS.has(model)) return [kept];
  const purpose = /^(Federation|Upstream)/.test(model) ? 'federation' : 'artifact';
  const payload = JSON.parse(text.startsWith('{') ? text : keyring.unseal(purpose, sealed, text)) as Record<
    string,
    unknown
  >;
  if (model !== 'Session') return [{ ...kept, payload }];
  const { iat: _iat, exp: _exp, state: _state, ...said } = payload;
  return [{ ...kept, payload: said }];
}

function difference(before: readonly string[], after: readonly string[]): string[] {
  const [was, is] = [new Set(before), new Set(after)];
  return [
    ...after.filter((line) => !was.has(line)).map((line) => `+ ${line}`),
    ...before.filter((line) => !is.has(line)).map((line) => `- ${line}`),
  ];
}

/** The lines of `changes` that concern these tables or models. */
export function about(changes: readonly string[], ...words: string[]): string[] {
  return changes.filter((line) => words.some((word) => line.includes(word)));
}

/** A page's first CSRF field. */
export function csrfOf(text: string): string {
  return /name="csrf" value="([^"]*)"/.exec(text)?.[1] ?? '';
}

/** The library's own form secret. */
export function xsrfOf(text: string): string {
  return /name="xsrf" value="([^"]*)"/.exec(text)?.[1] ?? '';
}

/** A browser's cookies for a path, ready for `send`. */
export function cookiesOf(browser: Browser, path: string): [string, string] {
  return ['Cookie', browser.cookieHeader(new URL(path, browser.origin))];
}

export function cookieOf(browser: Browser, name: string): string {
  for (const [key, { value }] of browser.cookies) if (key.startsWith(`${name} `)) return value;
  throw new Error(`no cookie ${name}: ${[...browser.cookies.keys()].join(', ')}`);
}

/** A loopback listener that only counts who comes. `answer` may say something. */
export async function trap(
  answer?: (socket: Socket) => void,
): Promise<{ url: string; calls: () => number; close: () => void }> {
  let calls = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    calls += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    if (answer === undefined) socket.destroy();
    else answer(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}`, calls: () => calls, close };
}

export function s256(verifier: string): string {
  return createHash('sha256').update(verifier).digest('base64url');
}

export function basic(id: string, secret: string): [string, string] {
  const encoded = Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64');
  return ['Authorization', `Basic ${encoded}`];
}

/** A token with which an operator lets somebody register a Client. */
export function initialAccessToken({ core }: World): Promise<string> {
  return withLineage(async () => {
    noteEpochs(await core.store.revocations.epochs(['everyone']));
    const { InitialAccessToken } = core.provider.current();
    return new InitialAccessToken({}).save();
  });
}

/** Registers a Client as a stranger with that token would. */
export async function register(hostile: HostileWorld, metadata: unknown, token?: string): Promise<RawAnswer> {
  return hostile.send({
    method: 'POST',
    path: '/reg',
    headers: [
      ['Content-Type', 'application/json'],
      ['Authorization', `Bearer ${token ?? (await initialAccessToken(hostile))}`],
    ],
    body: typeof metadata === 'string' ? metadata : JSON.stringify(metadata),
  });
}
