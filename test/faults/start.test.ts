/** Starts that are refused, and stops that are clean: the real program, as a process, by its exit code and its words. */
import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, request, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { expect, test } from 'vitest';

import { createClient } from '../support/client.ts';
import { engine } from '../support/store-under-test.ts';
import { place, type Program, put, refusal, run, serve, until, used } from './program.ts';

test('a wrong configuration is refused with everything that is wrong with it', async () => {
  const at = await place({
    isuer: 'http://localhost:3000',
    listen: { port: 'three thousand' },
    store: 'postgres://somewhere',
    clients: [{ client_id: 'player', redirect_uris: ['javascript:alert(1)'], clientSecretFile: './no-such-file' }],
  });
  const said = await refusal(at, 2, { lines: 11 });
  expect(said).toContain('5 problems');
  for (const wrong of ['isuer', 'listen.port', 'store', 'clients[0].redirect_uris[0]', 'clients[0].clientSecretFile']) {
    expect(said).toContain(`  ${wrong}: `);
  }
});

test('a configuration file that is not there is refused', async () => {
  const at = await place();
  rmSync(at.file);
  expect(await refusal(at, 2, { lines: 3 })).toContain('cannot be read (ENOENT)');
});

test('data without its keyring is refused, and no new keyring is made over it', async () => {
  const at = await used();
  rmSync(at.keyring);
  expect(await refusal(at, 2)).toMatch(/was sealed with a keyring, and there is none at .*: put the keyring back/);
  expect(existsSync(at.keyring)).toBe(false);
});

test('the keyring of another store is refused', async () => {
  const [at, other] = [await used(), await used()];
  copyFileSync(other.keyring, at.keyring);
  expect(await refusal(at, 2)).toContain('was sealed with another keyring');
});

test('a keyring that others can read is refused', async () => {
  const at = await used();
  chmodSync(at.keyring, 0o644);
  expect(await refusal(at, 2)).toMatch(/is open to other users of this machine \(mode 0644\): chmod 600 /);
});

test('a keyring that is cut short is refused, and not shown', async () => {
  const at = await used();
  const content = readFileSync(at.keyring, 'utf8');
  writeFileSync(at.keyring, content.slice(0, content.length / 2));
  const said = await refusal(at, 2);
  expect(said).toContain('is not JSON');
  for (const [, secret = ''] of content.matchAll(/"([\w-]{43})"/g)) expect(said).not.toContain(secret);
});

test('a keyring that is not a file is refused', async () => {
  const at = await used();
  rmSync(at.keyring);
  put(`${at.keyring}/something`, 'else');
  expect(await refusal(at, 2)).toContain('cannot be read (EISDIR)');
});

test('a database of a newer version is refused and left as it is', async () => {
  const at = await used();
  await at.database.pretendSchema(999);
  expect(await refusal(at, 2)).toMatch(/has schema 999, .* written by a newer Curfew/);
});

test('a secrets folder that is a file is refused', async () => {
  const at = await place();
  put(`${at.folder}/secrets`, 'a file in the way');
  expect(await refusal(at, 2)).toMatch(/^curfew: the keyring .* cannot be read \(ENOTDIR\): /);
});

test('a port in use is a fault, and nothing is written', async () => {
  const at = await place();
  const holder = createServer().listen(at.port, '127.0.0.1');
  await once(holder, 'listening');
  expect(await refusal(at, 1)).toContain(`port ${at.port} on 127.0.0.1 is in use`);
  holder.close();
});

test('a second server over the same port leaves the first one in peace', async () => {
  const at = await used();
  const first = await serve(at);
  const ended = await run(at).ended;
  expect(ended.code).toBe(1);
  expect((await fetch(`${at.issuer}/readyz`)).status).toBe(200);
  await stop(first, 'SIGTERM');
});

test.for(['SIGTERM', 'SIGINT'] as const)('%s lets a request in flight finish, and ends with 0', async (signal) => {
  const at = await used({ clients: [{ client_id: 'tv', token_endpoint_auth_method: 'none', ...DEVICE }] });
  const program = await serve(at);
  const idle = new Agent({ keepAlive: true });
  await once(request(`${at.issuer}/healthz`, { agent: idle }).end(), 'response').then(([response]) =>
    response.resume(),
  );
  // Half a form is in; the server waits for the rest.
  const body = 'client_id=tv&scope=openid';
  const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': body.length };
  const slow = request(`${at.issuer}/device/auth`, { method: 'POST', headers });
  const answered = once(slow, 'response');
  slow.write(body.slice(0, 10));
  await until('the request is in', async () => (await established(at.port)) >= 2);

  program.child.kill(signal);
  await until('nobody is let in any more', () => refused(at.port));
  expect(program.child.exitCode).toBeNull();
  slow.end(body.slice(10));
  const [response] = await answered;
  expect(response.statusCode).toBe(200);
  const began = performance.now();
  response.resume();
  const { code, stderr } = await program.ended;
  idle.destroy();
  // The connection would have been kept for five seconds more.
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(/^Curfew is at .*\n$/) });
  expect(performance.now() - began).toBeLessThan(4000);
  expect(program.output()).toContain('"server.stopped"');
  // Nothing is left for the next one to recover.
  if (engine === 'sqlite') expect(Object.keys(await at.database.bytes())).toEqual(['curfew.db']);

  const second = await serve(at);
  expect((await fetch(`${at.issuer}/readyz`)).status).toBe(200);
  await stop(second, signal);
});

test('SIGTERM lets posts in flight finish, records them, and gives every other lease back', async () => {
  const ward = await openWard();
  const client = (id: string) => ({
    client_id: id,
    token_endpoint_auth_method: 'none',
    first_party: true,
    response_types: ['code'],
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: [`http://${id}.test/callback`],
    backchannel_logout_session_required: true,
    backchannel_logout_uri: `${ward.url}/${id}`,
  });
  const clients = [client('player')];
  const at = await used({
    clients,
    outbound: { allow: ['127.0.0.1/32'] },
    throttle: { addressAttemptsPerMinute: 1000 },
  });
  const program = await serve(at);
  const player = createClient(at.issuer, client('player'));
  // Four devices of one Client: two posts are in flight, the others wait for their turn.
  for (let device = 0; device < 4; device++) await player.signIn(at.alice, at.alice.anotherBrowser());
  await at.alice.signIn();
  await at.alice.signOutOfAllDevices();
  await until('two posts are in flight', () => ward.held.length === 2);

  program.child.kill('SIGTERM');
  await until('nobody is let in any more', () => refused(at.port));
  expect(program.child.exitCode).toBeNull();
  for (const response of ward.held) response.writeHead(200).end();
  const { code } = await program.ended;
  expect(code).toBe(0);

  const { deliveries = [] } = await at.database.rows();
  const left = deliveries.map(({ status, attempts, leaseUntil }) => [status, attempts, Number(leaseUntil)]);
  // Nobody holds any: the beginning of time is when a lease ends that nobody has.
  expect(left.toSorted()).toEqual([
    ['delivered', 1, 0],
    ['delivered', 1, 0],
    ['pending', 0, 0],
    ['pending', 0, 0],
  ]);

  ward.answering = true;
  const second = await serve(at);
  await until('everybody has heard', () => ward.posts === 4);
  await stop(second, 'SIGTERM');
  await ward.close();
});

const DEVICE = {
  redirect_uris: [],
  response_types: [],
  grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
};

async function stop({ child, ended }: Program, signal: NodeJS.Signals): Promise<void> {
  child.kill(signal);
  expect(await ended).toMatchObject({ code: 0, signal: null });
}

/** Where posts are held until the test answers them. */
async function openWard() {
  const held: ServerResponse[] = [];
  const ward = { url: '', held, answering: false, posts: 0, close: () => closed(server) };
  const server = createServer((incoming, response) => {
    incoming.resume().on('end', () => {
      ward.posts += 1;
      if (ward.answering) response.writeHead(200).end();
      else held.push(response);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  ward.url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  return ward;
}

async function closed(server: Server): Promise<void> {
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
}

function refused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
      .once('connect', () => {
        socket.destroy();
        resolve(false);
      })
      .once('error', () => resolve(true));
  });
}

/** Connections to a port of this machine that are open, as the kernel counts them. */
async function established(port: number): Promise<number> {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = readFileSync('/proc/net/tcp', 'utf8').split('\n');
  return rows.filter((row) => {
    const [, local = '', , state] = row.trim().split(/\s+/);
    return local.endsWith(wanted) && state === '01';
  }).length;
}
