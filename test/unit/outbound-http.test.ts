import { createSign, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { allowed, parseAllowEntry, specialRange } from '../../src/platform/addresses.ts';
import { type Clock, systemClock } from '../../src/platform/clock.ts';
import {
  createOutbound,
  type Lookup,
  type Outbound,
  OutboundFailed,
  type OutboundOptions,
} from '../../src/platform/outbound-http.ts';
import { retryAfterSeconds } from '../../src/platform/outbound-outcome.ts';

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function listening(server: Server, host = '127.0.0.1'): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket.on('error', () => {}));
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, host);
  await once(server, 'listening');
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A server that remembers what it was asked. */
async function party(
  answer: RequestListener,
): Promise<{ port: number; seen: string[]; asked: (count: number) => Promise<void> }> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    request.resume();
    server.emit('asked');
    answer(request, response);
  });
  const asked = async (count: number): Promise<void> => {
    while (seen.length < count) await once(server, 'asked');
  };
  return { port: await listening(server), seen, asked };
}

/** Time that passes only when the test says so: `ring` fires the pending timers of that length. */
function manualClock(): Clock & {
  ring(milliseconds: number): void;
  armed(milliseconds: number): Promise<void>;
  pending(): number;
} {
  const timers = new Set<{ milliseconds: number; run: () => void }>();
  const watchers = new Set<() => void>();
  const has = (milliseconds: number): boolean => [...timers].some((timer) => timer.milliseconds === milliseconds);
  return {
    ...systemClock,
    setTimer(milliseconds, run) {
      const timer = { milliseconds, run };
      timers.add(timer);
      for (const watch of watchers) watch();
      return { cancel: () => void timers.delete(timer) };
    },
    ring(milliseconds) {
      const due = [...timers].filter((timer) => timer.milliseconds === milliseconds);
      if (due.length === 0) throw new Error(`no timer of ${milliseconds} ms is pending`);
      for (const timer of due) {
        timers.delete(timer);
        timer.run();
      }
    },
    armed: (milliseconds) =>
      new Promise((resolve) => {
        const watch = (): void => {
          if (!has(milliseconds)) return;
          watchers.delete(watch);
          resolve();
        };
        watchers.add(watch);
        watch();
      }),
    pending: () => timers.size,
  };
}

function way(options: Partial<OutboundOptions> = {}): Outbound {
  const out = createOutbound({ allow: ['127.0.0.0/8'], ...options });
  cleanups.push(() => out.close());
  return out;
}

const to =
  (...addresses: string[]): Lookup =>
  () =>
    Promise.resolve(addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));

const form = { logout_token: 'abc' };

test('a form is posted and its answer comes back', async () => {
  let body = '';
  let request: IncomingMessage | undefined;
  const { port } = await party((incoming, response) => {
    request = incoming;
    incoming.on('data', (chunk: Buffer) => (body += chunk.toString()));
    incoming.on('end', () =>
      response.writeHead(400, { 'x-a': ['1', '2'], 'Cache-Control': 'no-store' }).end('{"error":"x"}'),
    );
  });
  const outcome = await way().post(`http://127.0.0.1:${port}/logout?tenant=1#part`, {
    form: { logout_token: 'a b&c' },
    headers: { 'X-Try': '2' },
  });
  expect(outcome).toMatchObject({
    kind: 'answered',
    status: 400,
    body: '{"error":"x"}',
    truncated: false,
    headers: { 'x-a': '1, 2', 'cache-control': 'no-store' },
  });
  expect(outcome).not.toHaveProperty('retryAfterSeconds');
  expect(body).toBe('logout_token=a+b%26c');
  expect(request?.method).toBe('POST');
  expect(request?.url).toBe('/logout?tenant=1');
  expect(request?.headers).toMatchObject({ 'content-type': 'application/x-www-form-urlencoded', 'x-try': '2' });
});

test.each([301, 302, 303, 307, 308])('a %i redirect is an answer, not a way', async (status) => {
  const { port, seen } = await party((_, response) => response.writeHead(status, { location: '/elsewhere' }).end());
  const out = way();
  expect(await out.post(`http://127.0.0.1:${port}/`, { form })).toMatchObject({ kind: 'answered', status });
  const response = await out.fetch(`http://127.0.0.1:${port}/jwks`);
  expect([response.status, response.headers.get('location')]).toEqual([status, '/elsewhere']);
  expect(seen).toEqual(['POST /', 'GET /jwks']);
});

const specialAddresses = [
  [
    'loopback',
    '127.0.0.1 127.255.255.254 ::1 ::ffff:127.0.0.1 ::ffff:7f00:1 64:ff9b::127.0.0.1 64:ff9b::7f00:1 2002:7f00:1::',
  ],
  ['unspecified', '0.0.0.0 0.1.2.3 :: ::ffff:0.0.0.0'],
  [
    'private',
    '10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 fd12:3456::1 fc00::1 fec0::1 ::ffff:10.0.0.1 64:ff9b::c0a8:1 2002:0a00:0001::1 64:ff9b:1::1',
  ],
  ['link-local', '169.254.1.1 fe80::1 fe80::1%eth0 ::ffff:169.254.1.1'],
  [
    'cloud metadata',
    '169.254.169.254 168.63.129.16 100.100.100.200 192.0.0.192 fd00:ec2::254 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 2002:a9fe:a9fe::',
  ],
  ['carrier-grade NAT', '100.64.0.1 100.127.255.255 ::ffff:100.64.0.1'],
  ['multicast', '224.0.0.1 239.255.255.255 ff02::1 ::ffff:224.0.0.1'],
  [
    'reserved',
    '192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1 240.0.0.1 255.255.255.255 2001:db8::1 2001::1 2001:20::1 3fff::1 ::8.8.8.8 ::2 100::1 4000::1 5f00::1 localhost 1.2.3',
  ],
] as const;
test.each(specialAddresses)('%s addresses are told from the world’s, in every form', (name, addresses) => {
  for (const address of addresses.split(' ')) expect([address, specialRange(address)]).toEqual([address, name]);
});

test('the world’s addresses are not refused', () => {
  const world =
    '8.8.8.8 1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0 223.255.255.255 2606:4700::1111 2a00:1450::1 ::ffff:8.8.8.8 64:ff9b::8.8.8.8 2002:808:808::1';
  for (const address of world.split(' ')) expect([address, specialRange(address)]).toEqual([address, undefined]);
});

test.each([
  'http://127.0.0.1',
  'http://127.1',
  'http://2130706433',
  'http://0x7f000001',
  'http://0177.0.0.1',
  'http://127.0.0.1.',
  'http://[::1]',
  'http://[::ffff:127.0.0.1]',
  'http://[::ffff:7f00:1]',
  'http://[64:ff9b::7f00:1]',
  'http://[2002:7f00:1::]',
  'http://0',
  'http://[::]',
  'http://169.254.169.254',
  'http://10.0.0.1',
  'http://[fd00:ec2::254]',
  'http://①②⑦.0.0.1',
  'https://127.0.0.1',
])('%s is refused before anything is sent', async (url) => {
  const lookups: string[] = [];
  const out = way({ allow: [], lookup: async (hostname) => (lookups.push(hostname), []) });
  const { port, seen } = await party((_, response) => response.end());
  expect(await out.post(`${url}:${port}/secret?x=1`, { form })).toMatchObject({
    kind: 'failed',
    reason: 'refused-address',
  });
  await expect(out.fetch(`${url}:${port}/`)).rejects.toMatchObject({
    name: 'OutboundFailed',
    reason: 'refused-address',
  });
  expect([seen, lookups]).toEqual([[], []]);
});

test.each([
  'ftp://a.example/',
  'file:///etc/passwd',
  'data:text/plain,x',
  'a.example',
  '',
  'http://user:hush@a.example/',
  'javascript:1',
])('%s is not a URL that is called', async (url) => {
  const outcome = await way().post(url, { form });
  expect(outcome).toMatchObject({ kind: 'failed', reason: 'refused-address' });
  expect(JSON.stringify(outcome)).not.toContain('hush');
});

test('a name is judged by where it leads, and its address is not told', async () => {
  const { port, seen } = await party((_, response) => response.end());
  const out = way({ allow: [], lookup: to('127.0.0.1') });
  const outcome = await out.post(`http://player.example:${port}/path?token=hush`, { form });
  expect(outcome).toEqual({
    kind: 'failed',
    reason: 'refused-address',
    detail: 'player.example is at a loopback address, which Curfew calls only if outbound.allow lists it',
  });
  expect(seen).toEqual([]);
});

test('a name that leads elsewhere the second time gains nothing, and is resolved once for each connection', async () => {
  const { port, seen } = await party((_, response) => response.writeHead(200, { connection: 'close' }).end());
  const answers = ['127.0.0.1', '169.254.169.254', '127.0.0.1'];
  let lookups = 0;
  const out = way({ lookup: (hostname) => to(answers[lookups++] ?? '')(hostname) });
  const url = `http://player.example:${port}/`;
  expect(await out.post(url, { form })).toMatchObject({ kind: 'answered', status: 200 });
  expect(await out.post(url, { form })).toMatchObject({ kind: 'failed', reason: 'refused-address' });
  expect(await out.post(url, { form })).toMatchObject({ kind: 'answered', status: 200 });
  expect([lookups, seen.length]).toEqual([3, 2]);
});

test('of several addresses only those that may be called are', async () => {
  const { port } = await party((_, response) => response.end());
  const mixed = way({ allow: ['127.0.0.1/32'], lookup: to('10.0.0.1', '::1', '127.0.0.1') });
  expect(await mixed.post(`http://player.example:${port}/`, { form })).toMatchObject({ kind: 'answered' });
  const none = way({ allow: ['127.0.0.1/32'], lookup: to('10.0.0.1', '::1') });
  expect(await none.post(`http://player.example:${port}/`, { form })).toMatchObject({ reason: 'refused-address' });
});

test('a listed name may lead anywhere, on any port; no other name may', async () => {
  const { port } = await party((_, response) => response.end());
  const out = way({ allow: ['Media.LAN.'], lookup: to('127.0.0.1') });
  expect(await out.post(`http://media.lan:${port}/`, { form })).toMatchObject({ kind: 'answered' });
  expect(await out.post(`http://MEDIA.lan.:${port}/`, { form })).toMatchObject({ kind: 'answered' });
  for (const name of ['amedia.lan', 'x.media.lan', 'media.lan.evil.example']) {
    expect(await out.post(`http://${name}:${port}/`, { form })).toMatchObject({ reason: 'refused-address' });
  }
  expect(await out.post(`http://127.0.0.1:${port}/`, { form })).toMatchObject({ reason: 'refused-address' });
});

test('a listed network is matched on the address, however it was come by', async () => {
  const { port } = await party((_, response) => response.end());
  const out = way({ allow: ['127.0.0.0/30'], lookup: to('127.0.0.1') });
  expect(await out.post(`http://a.example:${port}/`, { form })).toMatchObject({ kind: 'answered' });
  expect(await out.post(`http://127.0.0.1:${port}/`, { form })).toMatchObject({ kind: 'answered' });
  expect(await out.post(`http://127.0.0.4:${port}/`, { form })).toMatchObject({ reason: 'refused-address' });
  const narrow = allowed(['10.1.0.0/16', 'fd00::/8', '192.168.1.7', '[::1]']);
  const inside = ['10.1.2.3', '::ffff:10.1.2.3', 'fd12::1', '192.168.1.7', '::1'];
  const outside = ['10.2.0.1', 'fc00::1', '192.168.1.8', '::2', '127.0.0.1', 'a.example'];
  expect(inside.filter((address) => !narrow.address(address))).toEqual([]);
  expect(outside.filter((address) => narrow.address(address))).toEqual([]);
});

test.each([
  'http://a.example',
  'a.example:80',
  '*.example',
  'a.example/path',
  '10.0.0.0/33',
  '::/129',
  '10.0.0/8',
  '1.2.3',
  '0x7f.1',
  '',
  ' ',
  'a..b',
  '-a.example',
  'fe80::1%eth0',
  'user@a',
  '/8',
  'a b',
])('"%s" is no entry of outbound.allow', (entry) => {
  expect(parseAllowEntry(entry)).toBeUndefined();
  expect(() => createOutbound({ allow: [entry] })).toThrow(TypeError);
});

test('a server that never answers is given up after the timeout, and its connection dropped', async () => {
  const clock = manualClock();
  const closed: Promise<unknown>[] = [];
  const { port, asked } = await party((request) => void closed.push(once(request.socket, 'close')));
  const posting = way({ clock, timeoutSeconds: 5 }).post(`http://127.0.0.1:${port}/`, { form });
  await asked(1);
  clock.ring(5000);
  expect(await posting).toEqual({ kind: 'failed', reason: 'timeout', detail: '127.0.0.1 did not answer within 5 s' });
  await closed[0];
  expect(clock.pending()).toBe(0);
});

test('headers that trickle in are no answer, however busy they look', async () => {
  const clock = manualClock();
  let trickled = (): void => {};
  const trickling = new Promise<void>((resolve) => (trickled = resolve));
  const port = await listening(
    createTcpServer((socket) => {
      socket.once('data', () => socket.write('HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nx-a: ', trickled));
    }),
  );
  const posting = way({ clock }).post(`http://127.0.0.1:${port}/`, { form });
  await trickling;
  clock.ring(5000);
  expect(await posting).toMatchObject({ kind: 'failed', reason: 'timeout' });
});

test('a name whose resolution hangs is given up as well', async () => {
  const clock = manualClock();
  let release = (): void => {};
  const out = way({ clock, lookup: () => new Promise((resolve) => (release = () => resolve([]))) });
  const posting = out.post('http://slow.example/', { form });
  await clock.armed(5000);
  clock.ring(5000);
  expect(await posting).toMatchObject({ kind: 'failed', reason: 'timeout' });
  release();
});

test('an answer whose body never ends is an answer once its headers are in', async () => {
  const clock = manualClock();
  const { port } = await party((_, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('started');
  });
  const posting = way({ clock }).post(`http://127.0.0.1:${port}/`, { form });
  await clock.armed(1000);
  clock.ring(1000);
  expect(await posting).toMatchObject({ kind: 'answered', status: 200, truncated: true });
  expect(clock.pending()).toBe(0);
});

function endless(response: ServerResponse, sent: { bytes: number }): void {
  const block = Buffer.alloc(16_384, 'x');
  const more = (): void => {
    while (!response.destroyed && response.write(block)) sent.bytes += block.length;
  };
  response.writeHead(200).on('drain', more);
  more();
}

test('no more than 64 KiB of a body are kept, and an endless one is cut off', async () => {
  const sent = { bytes: 0 };
  let closed: Promise<unknown> = Promise.resolve();
  const { port } = await party((_, response) => {
    closed = once(response, 'close');
    endless(response, sent);
  });
  const outcome = await way({ clock: manualClock() }).post(`http://127.0.0.1:${port}/`, { form });
  expect(outcome).toMatchObject({ kind: 'answered', status: 200, truncated: true, body: 'x'.repeat(65_536) });
  await closed;
});

test('a body of exactly the limit is whole, one byte more is not', async () => {
  const { port } = await party((request, response) => response.end('x'.repeat(request.url === '/more' ? 11 : 10)));
  const out = way({ maxBytes: 10 });
  expect(await out.post(`http://127.0.0.1:${port}/`, { form })).toMatchObject({
    truncated: false,
    body: 'x'.repeat(10),
  });
  expect(await out.post(`http://127.0.0.1:${port}/more`, { form })).toMatchObject({
    truncated: true,
    body: 'x'.repeat(10),
  });
});

test('headers without end are refused, not collected', async () => {
  const port = await listening(
    createTcpServer((socket) => {
      socket.once('data', () => socket.write(`HTTP/1.1 200 OK\r\n${'x-a: b\r\n'.repeat(20_000)}`));
    }),
  );
  expect(await way().post(`http://127.0.0.1:${port}/`, { form })).toMatchObject({
    kind: 'failed',
    reason: 'connection',
  });
});

test('what cannot be reached is told by kind', async () => {
  const gone = createServer();
  const port = await listening(gone);
  gone.close();
  const out = way();
  expect(await out.post(`http://127.0.0.1:${port}/`, { form })).toEqual({
    kind: 'failed',
    reason: 'connection',
    detail: 'the connection to 127.0.0.1 failed (ECONNREFUSED)',
  });
  const lost = way({ lookup: () => Promise.reject(Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' })) });
  expect(await lost.post('http://nowhere.example/', { form })).toEqual({
    kind: 'failed',
    reason: 'dns',
    detail: 'nowhere.example cannot be resolved (ENOTFOUND)',
  });
  expect(await way({ lookup: to() }).post('http://empty.example/', { form })).toMatchObject({ reason: 'dns' });
  const rude = await listening(createTcpServer((socket) => void socket.once('data', () => socket.destroy())));
  expect(await out.post(`http://127.0.0.1:${rude}/`, { form })).toMatchObject({ reason: 'connection' });
  const babble = await listening(
    createTcpServer((socket) => void socket.once('data', () => socket.end('hush hush\r\n\r\n'))),
  );
  const outcome = await out.post(`http://127.0.0.1:${babble}/`, { form });
  expect(outcome).toMatchObject({ reason: 'connection' });
  expect(JSON.stringify(outcome)).not.toContain('hush');
});

test('a call that is taken back ends at once, in flight or waiting for its turn', async () => {
  const { port, seen, asked } = await party(() => {});
  const out = way({ connectionsPerOrigin: 1 });
  const [first, second] = [new AbortController(), new AbortController()];
  const url = `http://127.0.0.1:${port}`;
  const flying = out.post(`${url}/1`, { form, signal: first.signal });
  await asked(1);
  const waiting = out.post(`${url}/2`, { form, signal: second.signal });
  second.abort();
  expect(await waiting).toMatchObject({ kind: 'failed', reason: 'aborted' });
  first.abort();
  expect(await flying).toMatchObject({ kind: 'failed', reason: 'aborted' });
  expect(await out.post(`${url}/3`, { form, signal: AbortSignal.abort() })).toMatchObject({ reason: 'aborted' });
  expect(seen).toEqual(['POST /1']);
});

test('an origin has at most its share in flight, in order, and a place that is given up is not lost', async () => {
  const held: ServerResponse[] = [];
  const { port, seen, asked } = await party((_, response) => void held.push(response));
  const out = way({ connectionsPerOrigin: 2 });
  const taken = new AbortController();
  const url = `http://127.0.0.1:${port}`;
  const calls = [1, 2, 3, 4, 5].map((at) =>
    out.post(`${url}/${at}`, { form, ...(at === 3 && { signal: taken.signal }) }),
  );
  await asked(2);
  taken.abort();
  expect(await calls[2]).toMatchObject({ reason: 'aborted' });
  held[0]?.end();
  expect(await Promise.race([calls[0], calls[1]])).toMatchObject({ status: 200 });
  await asked(3);
  expect([...seen].sort()).toEqual(['POST /1', 'POST /2', 'POST /4']);
  held[1]?.end();
  await asked(4);
  expect(seen.at(-1)).toBe('POST /5');
  held[2]?.end();
  held[3]?.end();
  expect((await Promise.all(calls)).map(({ kind }) => kind)).toEqual([
    'answered',
    'answered',
    'failed',
    'answered',
    'answered',
  ]);
});

test('an origin that hangs keeps no other waiting', async () => {
  const clock = manualClock();
  const dead = await party(() => {});
  const healthy = await party((_, response) => response.end());
  const out = way({ clock });
  const hanging = Array.from({ length: 20 }, () => out.post(`http://127.0.0.1:${dead.port}/`, { form }));
  await dead.asked(2);
  for (let at = 0; at < 20; at += 1) {
    expect(await out.post(`http://127.0.0.1:${healthy.port}/`, { form })).toMatchObject({ status: 200 });
  }
  expect(dead.seen).toHaveLength(2);
  clock.ring(5000);
  expect(new Set((await Promise.all(hanging)).map((outcome) => outcome.kind === 'failed' && outcome.reason))).toEqual(
    new Set(['timeout']),
  );
  expect(dead.seen).toHaveLength(2);
});

test.each([1, 2])('connections are kept for the next call, %i of them and no more', async (connectionsPerOrigin) => {
  const ports = new Set<number | undefined>();
  const { port } = await party((request, response) => {
    ports.add(request.socket.remotePort);
    response.end('ok');
  });
  const out = way({ connectionsPerOrigin });
  for (let at = 0; at < 10; at += 1) await out.post(`http://127.0.0.1:${port}/`, { form });
  await Promise.all(Array.from({ length: 20 }, () => out.post(`http://127.0.0.1:${port}/`, { form })));
  expect(ports.size).toBe(connectionsPerOrigin);
});

test('https is verified: the certificate must be trusted and name the host', async () => {
  const { key, cert } = selfSigned('player.example');
  const seen: unknown[] = [];
  const server = createTlsServer({ key, cert }, (request, response) => {
    seen.push(request.url);
    response.end('ok');
  });
  const port = await listening(server);
  const trusting = way({ lookup: to('127.0.0.1'), certificateAuthorities: [cert] });
  expect(await trusting.post(`https://player.example:${port}/`, { form })).toMatchObject({
    kind: 'answered',
    body: 'ok',
  });
  expect(await trusting.post(`https://other.example:${port}/`, { form })).toMatchObject({
    kind: 'failed',
    reason: 'tls',
  });
  const strict = way({ lookup: to('127.0.0.1') });
  const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  const warnings = process.listeners('warning');
  process.removeAllListeners('warning');
  try {
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    expect(await strict.post(`https://player.example:${port}/`, { form })).toMatchObject({
      kind: 'failed',
      reason: 'tls',
    });
  } finally {
    if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
    for (const listener of warnings) process.on('warning', listener);
  }
  const plain = await party((_, response) => response.end());
  expect(await strict.post(`https://player.example:${plain.port}/`, { form })).toMatchObject({ reason: 'tls' });
  expect(seen).toEqual(['/']);
});

test('Retry-After is understood in both forms, and bounded', async () => {
  const clock: Clock = { ...systemClock, now: () => new Date('2026-11-23T10:00:00.500Z') };
  const table: [string | undefined, number | undefined][] = [
    ['0', 0],
    ['120', 120],
    [' 7 ', 7],
    ['3601', 3600],
    ['999999999999', 3600],
    ['Mon, 23 Nov 2026 10:01:00 GMT', 60],
    ['Mon, 23 Nov 2026 09:00:00 GMT', 0],
    ['Tue, 24 Nov 2026 10:00:00 GMT', 3600],
    ['-1', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['', undefined],
    [undefined, undefined],
    ['2026-11-23', undefined],
    ['Mon, 99 Xyz 2026 10:01:00 GMT', undefined],
  ];
  for (const [value, seconds] of table) expect([value, retryAfterSeconds(value, clock)]).toEqual([value, seconds]);
  const { port } = await party((_, response) => response.writeHead(429, { 'retry-after': '30' }).end());
  expect(await way().post(`http://127.0.0.1:${port}/`, { form })).toMatchObject({ status: 429, retryAfterSeconds: 30 });
});

test('fetch brings a document', async () => {
  const { port, seen } = await party((request, response) => {
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ accept: request.headers.accept }));
  });
  const response = await way().fetch(new URL(`http://127.0.0.1:${port}/jwks.json`), {
    headers: new Headers({ accept: 'application/json' }),
  });
  expect([response.status, response.headers.get('content-type'), await response.json()]).toEqual([
    200,
    'application/json',
    { accept: 'application/json' },
  ]);
  const out = way();
  await out.fetch(`http://127.0.0.1:${port}/post`, { method: 'post', body: new URLSearchParams({ a: '1' }) });
  await expect(out.fetch(`http://127.0.0.1:${port}/`, { method: 'DELETE' })).rejects.toThrow(TypeError);
  expect(seen).toEqual(['GET /jwks.json', 'POST /post']);
});

test.each([204, 304])('fetch of an empty %i answer has no body', async (status) => {
  const { port } = await party((_, response) => response.writeHead(status).end());
  expect((await way().fetch(`http://127.0.0.1:${port}/`)).status).toBe(status);
});

test('fetch gives a whole document or none', async () => {
  const clock = manualClock();
  const { port } = await party((request, response) => {
    if (request.url === '/endless') return endless(response, { bytes: 0 });
    response.writeHead(200, { 'content-length': '100' });
    response.write('{"keys":', () => request.url === '/broken' && response.destroy());
  });
  const out = way({ clock });
  await expect(out.fetch(`http://127.0.0.1:${port}/endless`)).rejects.toMatchObject({ reason: 'too-large' });
  await expect(out.fetch(`http://127.0.0.1:${port}/broken`)).rejects.toMatchObject({ reason: 'connection' });
  const slow = out.fetch(`http://127.0.0.1:${port}/slow`);
  await clock.armed(5000);
  clock.ring(5000);
  await expect(slow).rejects.toBeInstanceOf(OutboundFailed);
  await expect(slow).rejects.toMatchObject({ reason: 'timeout' });
});

test('after close nothing leaves any more', async () => {
  const { port, seen } = await party((_, response) => response.end());
  const out = createOutbound({ allow: ['127.0.0.0/8'] });
  await out.post(`http://127.0.0.1:${port}/1`, { form });
  await out.close();
  expect(await out.post(`http://127.0.0.1:${port}/2`, { form })).toMatchObject({ kind: 'failed', reason: 'aborted' });
  expect(seen).toEqual(['POST /1']);
});

/** A certificate made on the spot (RFC 5280), so that no key lies in the repository and none expires. */
function selfSigned(name: string): { key: string; cert: string } {
  const { privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
  });
  const der = (tag: number, ...parts: Uint8Array[]): Buffer => {
    const content = Buffer.concat(parts);
    const size = content.length < 128 ? [content.length] : [0x82, content.length >> 8, content.length & 255];
    return Buffer.concat([Buffer.from([tag, ...size]), content]);
  };
  const text = (tag: number, value: string): Buffer => der(tag, Buffer.from(value));
  const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));
  const ecdsaWithSha256 = der(0x30, oid('2a8648ce3d040302'));
  const subject = der(0x30, der(0x31, der(0x30, oid('550403'), text(0x0c, name))));
  const alternative = der(0x30, oid('551d11'), der(0x04, der(0x30, text(0x82, name))));
  const authority = der(0x30, oid('551d13'), der(0x04, der(0x30, der(0x01, Buffer.from([0xff])))));
  const content = der(
    0x30,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    ecdsaWithSha256,
    subject,
    der(0x30, text(0x17, '200101000000Z'), text(0x17, '491231235959Z')),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(0x30, alternative, authority)),
  );
  const signature = createSign('sha256').update(content).sign(privateKey);
  const whole = der(0x30, content, ecdsaWithSha256, der(0x03, Buffer.from([0]), signature));
  const lines = whole
    .toString('base64')
    .match(/.{1,64}/g)
    ?.join('\n');
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
  };
}
