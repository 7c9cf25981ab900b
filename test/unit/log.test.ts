import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { type Clock, systemClock } from '../../src/platform/clock.ts';
import { createLog, type Log } from '../../src/platform/log.ts';

const clock: Clock = { ...systemClock, now: () => new Date('2026-11-23T10:00:00Z') };

function logged(level: 'debug' | 'info' | 'warn' = 'debug'): {
  log: Log;
  lines: () => Record<string, unknown>[];
  raw: () => string;
} {
  let raw = '';
  const log = createLog({ level, clock, destination: { write: (line) => void (raw += line) } });
  const lines = (): Record<string, unknown>[] =>
    raw
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { log, lines, raw: () => raw };
}

test('an event is one JSON line with its level, its time, its fields and its name', () => {
  const { log, raw } = logged();
  log.info({ client: 'player', attempts: 3 }, 'delivery.rejected');
  log.warn('store.slow');
  expect(raw()).toBe(
    '{"level":"info","time":"2026-11-23T10:00:00.000Z","client":"player","attempts":3,"event":"delivery.rejected"}\n' +
      '{"level":"warn","time":"2026-11-23T10:00:00.000Z","event":"store.slow"}\n',
  );
});

test('events below the level are not written', () => {
  const { log, lines } = logged('warn');
  log.info('a.quiet');
  log.warn('a.loud');
  log.child({ client: 'tv' }).info('a.quiet');
  expect(lines().map(({ event }) => event)).toEqual(['a.loud']);
});

test('line breaks in input stay inside the line and cannot forge another', () => {
  const { log, raw, lines } = logged();
  log.info({ device: 'TV\r\n{"level":"fatal","event":"forged.event"}\u2028', ['a\nb']: 1 }, 'device.approved');
  expect(raw().match(/[\r\n]/g)).toEqual(['\n']);
  expect(lines()).toHaveLength(1);
  expect(lines()[0]?.event).toBe('device.approved');
});

test('a field cannot pass for the line’s own level, time or event', () => {
  const { log, lines, raw } = logged();
  log.info({ level: 'fatal', event: 'forged.event', time: 'never' }, 'a.b');
  expect(lines()[0]).toMatchObject({ level: 'info', event: 'a.b', time: '2026-11-23T10:00:00.000Z' });
  expect(raw().match(/"level":/g)).toHaveLength(1);
});

const secretKeys = [
  'password',
  'currentPassword',
  'token',
  'access_token',
  'refreshToken',
  'id_token',
  'logout_token',
  'upstream_id_token',
  'code',
  'user_code',
  'device_code',
  'client_secret',
  'clientSecret',
  'Authorization',
  'cookie',
  'Set-Cookie',
  'email',
  'username',
  'displayName',
  'ip',
  'user-agent',
  'RelayState',
  'SAMLResponse',
  'code_verifier',
  'pepper',
  'root',
  'api_key',
  '_csrf_token',
];
test.each(secretKeys)('%s is never written, at any depth', (key) => {
  const { log, raw } = logged();
  log.info(
    {
      [key]: 'hush-1',
      one: { [key]: 'hush-2', two: { [key]: ['hush-3'], three: { [key]: 'hush-4' } }, list: [{ [key]: 'hush-5' }] },
    },
    'a.b',
  );
  log.child({ [key]: 'hush-6', deep: { [key]: 'hush-7' } }).info({ fine: 1 }, 'a.c');
  expect(raw()).not.toMatch(/hush/);
  expect(raw()).toContain('"fine":1');
});

test('ordinary fields are written as they are', () => {
  const { log, lines } = logged();
  const fields = {
    client: 'player',
    status: 'pending',
    count: 2,
    ok: true,
    none: null,
    reason: 'timeout',
    accountId: 'a1',
    list: [1, 'x'],
  };
  log.info(fields, 'a.b');
  expect(lines()[0]).toMatchObject(fields);
});

test('an error is its name, message, stack, code and causes, and nothing else it carries', () => {
  const { log, lines, raw } = logged();
  const cause = Object.assign(new Error('connect refused'), { code: 'ECONNREFUSED', request: { body: 'hush-1' } });
  const err = Object.assign(new TypeError('delivery failed', { cause }), {
    config: { headers: 'hush-2' },
    response: 'hush-3',
  });
  log.error({ err, nested: { err: cause } }, 'delivery.failed');
  const shown = lines()[0]?.err as Record<string, unknown>;
  expect(Object.keys(shown).sort()).toEqual(['cause', 'message', 'name', 'stack']);
  expect(shown).toMatchObject({
    name: 'TypeError',
    message: 'delivery failed',
    cause: { message: 'connect refused', code: 'ECONNREFUSED' },
  });
  expect(lines()[0]?.nested).toMatchObject({ err: { code: 'ECONNREFUSED' } });
  expect(raw()).not.toMatch(/hush/);
});

test('an error that is its own cause ends', () => {
  const { log, lines } = logged();
  const err = new Error('round');
  err.cause = err;
  log.error({ err }, 'a.b');
  expect(lines()).toHaveLength(1);
});

test.each([
  ['a bearer value', 'refused: Authorization: Bearer abc.DEF_123-xyz was given', 'abc.DEF_123-xyz'],
  ['a JWT', 'cannot verify eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl', 'eyJzdWIiOiJhIn0'],
  ['a code in a URL', 'GET https://app.example/cb?state=hush1&code=hush2', 'hush'],
  ['a token in a form', 'posted logout_token=hush&x=1', 'hush'],
  ['a token in JSON', 'got {"refresh_token":"hush","expires_in":5}', 'hush'],
  ['a mail address', 'no such account: alice.b+c@mail.example', 'alice.b'],
  ['SAML XML', 'bad <samlp:Response ID="x"><saml:Assertion>hush</saml:Assertion></samlp:Response>', 'hush'],
])('%s inside text is cut out', (_, text, secret) => {
  const { log, raw } = logged();
  log.warn({ detail: text, err: new Error(text, { cause: new Error(text) }) }, 'a.b');
  expect(raw()).not.toContain(secret);
});

test('hostile text costs time in proportion to its length', () => {
  const { log, lines } = logged();
  const started = process.cpuUsage();
  for (const piece of ['a', '@', 'eyJ', '<', '"code":', 'Bearer ', 'a.', 'token=']) {
    log.info({ text: piece.repeat(1_000_000 / piece.length) }, 'a.b');
  }
  expect(lines()).toHaveLength(8);
  expect(process.cpuUsage(started).user / 1000).toBeLessThan(1000);
});

test('values that would break a log are shown, not thrown', () => {
  const { log, lines } = logged();
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  const trap = {
    get boom(): string {
      throw new Error('no');
    },
  };
  const fields = JSON.parse('{"__proto__":null,"hasOwnProperty":1,"toJSON":1,"a":1}') as Record<string, unknown>;
  log.info(
    {
      circle,
      trap,
      bytes: Buffer.from('hush'),
      big: 10n,
      run: () => 1,
      at: new Date(0),
      bad: new Date(NaN),
      url: new URL('https://a.example/p?code=hush'),
    },
    'a.b',
  );
  log.info(fields, 'a.c');
  log.child(fields).info('a.d');
  expect(lines()[0]).toMatchObject({
    trap: { boom: '[unreadable]' },
    bytes: '[bytes]',
    big: '10',
    run: '[function]',
    at: '1970-01-01T00:00:00.000Z',
    bad: '[invalid date]',
    url: 'https://a.example/p',
  });
  expect(lines().map(({ event }) => event)).toEqual(['a.b', 'a.c', 'a.d']);
  expect(lines()[1]).toMatchObject({ a: 1, __proto___: null });
  expect(lines()[2]).toMatchObject({ a: 1, hasOwnProperty_: 1 });
});

test('a child adds its fields to each of its lines, and only to its own', () => {
  const { log, lines } = logged();
  const child = log.child({ requestId: 'r1' }).child({ client: 'tv' });
  child.info({ n: 1 }, 'a.b');
  log.info('a.c');
  expect(lines()[0]).toMatchObject({ requestId: 'r1', client: 'tv', n: 1 });
  expect(lines()[1]).not.toHaveProperty('requestId');
});

const MODULE = new URL('../../src/platform/log.ts', import.meta.url).href;

/** A process of its own that writes a log to this stdout. */
function writer(program: string, stdout: number | 'pipe'): ChildProcess {
  const source = `const { createLog } = await import(${JSON.stringify(MODULE)});
    const log = createLog({ level: 'info' });
    ${program}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['pipe', stdout, 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

test('a disk that is full costs lines, not the process; it is said once', async () => {
  const full = openSync('/dev/full', 'w');
  const { stderr } = writer(
    `for (let n = 0; n < 50; n++) log.child({ n }).warn({ n }, 'a.b');
     await new Promise((resolve) => setImmediate(resolve));
     process.stderr.write('still here\\n');`,
    full,
  );
  closeSync(full);
  expect(await text(stderr!)).toBe(
    'curfew: the log cannot be written (ENOSPC); its lines are lost until it can\nstill here\n',
  );
});

test('a reader that does not read is waited for once; when it reads again, lines begin anew and whole', async () => {
  // A stdout that was touched refuses when it is full, instead of waiting.
  const { stdin, stdout, stderr } = writer(
    `process.stdout.writable;
     const began = performance.now();
     for (let n = 0; n < 200; n++) log.info({ n, long: 'x'.repeat(5000) }, 'a.b');
     process.stderr.write(performance.now() - began < 10_000 ? 'soon\\n' : 'late\\n');
     process.stdin.on('data', () => log.info('a.last'));`,
    'pipe',
  );
  let said = '';
  await new Promise<void>((resolve) => {
    stderr!.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (/soon|late/.test(said)) resolve();
    });
  });
  let read = '';
  for await (const chunk of stdout!) {
    read += String(chunk);
    if (read.includes('"a.last"}\n')) stdin!.end();
    // Once everything that waited was read, there is room for it.
    else stdin!.write('again');
  }

  expect(said).toMatch(/^curfew: the log cannot be written \(EAGAIN\).*\nsoon\n$/);
  const lines = read.split('\n').filter((line) => line !== '');
  const whole = lines.filter((line) => line.endsWith('"}'));
  for (const line of whole) expect(JSON.parse(line)).toMatchObject({ level: 'info' });
  expect(whole.at(-1)).toContain('"a.last"');
  expect(whole.length).toBeGreaterThan(2);
  expect(whole.length).toBeLessThan(200);
  // The one that was cut off when nobody read.
  expect(lines.length - whole.length).toBeLessThanOrEqual(1);
});

test('a destination that throws costs its line, and no more', () => {
  let full = true;
  let raw = '';
  const log = createLog({
    level: 'info',
    destination: {
      write(line) {
        if (full) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
        raw += line;
      },
    },
  });
  log.info('a.lost');
  full = false;
  log.info('a.kept');
  expect(raw).toMatch(/^\{.*"event":"a.kept"\}\n$/);
});
