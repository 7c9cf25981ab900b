import { describe, expect, test } from 'vitest';

import { createClient } from '../support/client.ts';
import { atTerminal, commandWorld, type CommandWorld } from './support.ts';

const create = ({ here }: CommandWorld, id: string, ...more: string[]) =>
  here('client', 'create', '--id', id, '--name', 'Jukebox', ...more);

test('a client made by command works at the running server, with a secret that is shown once', async () => {
  const made = await commandWorld();
  const { run, here, alice, issuer, rows, ears } = made;
  const created = await run(
    'client',
    'create',
    '--id',
    'jukebox',
    '--name',
    'Jukebox',
    '--redirect-uri',
    'http://jukebox.test/callback',
    '--redirect-uri',
    'http://jukebox.test/other',
    '--post-logout-redirect-uri',
    'http://jukebox.test/signed-out',
    '--backchannel-logout-uri',
    `${ears.url}/jukebox`,
    '--session-required',
    '--first-party',
    '--json',
  );
  expect(created.code).toBe(0);
  const shown = created.json() as { client_id: string; client_secret: string };
  expect(shown).toMatchObject({
    client_id: 'jukebox',
    client_name: 'Jukebox',
    redirect_uris: ['http://jukebox.test/callback', 'http://jukebox.test/other'],
    backchannel_logout_session_required: true,
    grant_types: ['authorization_code', 'refresh_token'],
    first_party: true,
    source: 'command',
  });
  expect(shown.client_secret).toMatch(/^[\w-]{43}$/);

  const tokens = await createClient(issuer, shown).signIn(alice);
  expect(tokens.refresh_token).toBeTypeOf('string');

  const again = await here('client', 'show', 'jukebox', '--json');
  const { client_secret: _secret, ...rest } = shown;
  expect(again.json()).toStrictEqual(rest);
  const listed = (await here('client', 'list', '--json')).json();
  expect(listed).toContainEqual(rest);
  expect(JSON.stringify(listed)).not.toContain('"client_secret"');
  expect(JSON.stringify(await rows())).not.toContain(shown.client_secret);

  const rotated = (await run('client', 'rotate-secret', 'jukebox', '--json')).json() as typeof shown;
  expect(rotated).toStrictEqual({ ...shown, client_secret: expect.stringMatching(/^[\w-]{43}$/) });
  expect(await createClient(issuer, shown).refresh(tokens)).toEqual({ error: 'invalid_client' });
  expect(await createClient(issuer, rotated).refresh(tokens)).toHaveProperty('access_token');
});

test('public, device-only, installed and introspecting clients get what follows from it', async () => {
  const made = await commandWorld();
  const { file } = made;
  const metadata = file(
    'metadata.json',
    JSON.stringify({
      grant_types: ['client_credentials'],
      client_uri: 'https://machine.test/',
      contacts: ['a@b.test'],
    }),
  );
  const [device, installed, server, machine] = await Promise.all([
    create(made, 'box', '--public', '--device', '--json'),
    create(made, 'app', '--public', '--redirect-uri', 'test.example.app:/callback', '--json'),
    create(made, 'library-2', '--introspects', 'player', 'cinema', '--json'),
    create(made, 'machine', '--metadata-file', metadata, '--introspects', 'all', '--json'),
  ]);
  expect(device.json()).toMatchObject({
    token_endpoint_auth_method: 'none',
    grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
    redirect_uris: [],
    response_types: [],
  });
  expect(device).toMatchObject({ code: 0, stdout: expect.not.stringContaining('"client_secret"') });
  expect(installed.json()).toMatchObject({ application_type: 'native' });
  expect(server.json()).toMatchObject({ introspects: ['player', 'cinema'], client_secret: expect.any(String) });
  expect(machine.json()).toMatchObject({
    introspects: 'all',
    client_uri: 'https://machine.test/',
    grant_types: ['client_credentials'],
  });
  // People's addresses, and of no use here.
  expect(machine.json()).not.toHaveProperty('contacts');
});

test('what makes no client is refused with every reason, and nothing is written', async () => {
  const made = await commandWorld();
  const { file, rows, here } = made;
  const before = (await rows())['clients'];
  const secret = file('secret.json', '{"client_secret":"do not show me anywhere"}');
  const broken = file('broken.json', 'do not show me either');
  const other = file('other.json', '{"client_id":"another"}');
  const odd = file('odd.json', '{"redirect_uri":"https://x.test/"}');

  const refused = await Promise.all([
    create(
      made,
      'a',
      '--redirect-uri',
      'javascript:alert(1)',
      'https://*.example.org/cb',
      '--backchannel-logout-uri',
      'ftp://x/',
    ),
    create(made, 'b', '--public', '--redirect-uri', 'myapp:/callback'),
    create(made, 'c'),
    create(made, 'd', '--redirect-uri', 'https://d.test/', '--introspects', 'nobody'),
    create(made, 'player', '--redirect-uri', 'https://d.test/'),
    create(made, 'e', '--metadata-file', secret),
    create(made, 'f', '--metadata-file', broken),
    create(made, 'g', '--metadata-file', other),
    create(made, 'h', '--metadata-file', odd, '--device'),
    create(
      made,
      'i',
      '--public',
      '--device',
      '--metadata-file',
      file('alg.json', '{"id_token_signed_response_alg":"PS512"}'),
    ),
  ]);

  // Of these only the id that is taken is right in itself.
  expect(refused.map(({ code, stdout }) => [code, stdout])).toEqual(refused.map((_, at) => [at === 4 ? 1 : 2, '']));
  const messages = refused.map(({ stderr }) => stderr);
  expect(messages[0]).toContain('redirect_uris[0] has a scheme that cannot receive a sign-in');
  expect(messages[0]).toContain('redirect_uris[1] must not hold a wildcard');
  expect(messages[0]).toContain('backchannel_logout_uri');
  expect(messages[1]).toContain('has a scheme that any app may claim');
  expect(messages[2]).toContain('nobody could sign in at this app');
  expect(messages[3]).toContain('introspects[0] names no');
  expect(messages[4]).toContain('the client id player is taken');
  expect(messages[5]).toContain('holds no secret');
  expect(messages[6]).toContain('is not JSON');
  expect(messages[7]).toContain('another client_id');
  expect(messages[8]).toContain('did you mean redirect_uris?');
  expect(messages[9]).toContain('id_token_signed_response_alg');
  expect(messages.join('\n')).not.toMatch(/do not show|^ +at /m);
  expect(await here('client', 'show', 'nobody')).toMatchObject({ code: 2, stdout: '' });
  expect((await rows())['clients']).toEqual(before);
});

test('clients of the configuration are changed there, and a public client has no secret to rotate', async () => {
  const made = await commandWorld();
  const { here, rows } = made;
  await create(made, 'box', '--public', '--device');
  const before = (await rows())['clients'];
  const refused = await Promise.all([
    here('client', 'delete', 'player', '--yes'),
    here('client', 'rotate-secret', 'player'),
    here('client', 'rotate-secret', 'box'),
    here('client', 'delete', 'box'),
  ]);
  expect(refused.map(({ code, stdout }) => [code, stdout])).toEqual(refused.map(() => [2, '']));
  expect(refused[0]?.stderr).toContain('belongs to the configuration');
  expect(refused[1]?.stderr).toContain('belongs to the configuration');
  expect(refused[2]?.stderr).toContain('has no secret');
  expect(refused[3]?.stderr).toContain('add --yes');
  expect((await rows())['clients']).toEqual(before);
});

describe('removing a client', () => {
  test('ends all access through it, tells it, and never gives its id again', async () => {
    const made = await commandWorld();
    const { run, alice, issuer, ears, player, library } = made;
    const created = await create(
      made,
      'jukebox',
      '--redirect-uri',
      'http://jukebox.test/callback',
      '--first-party',
      '--json',
      '--backchannel-logout-uri',
      `${ears.url}/jukebox`,
    );
    const jukebox = createClient(issuer, created.json() as { client_id: string });
    const tokens = await jukebox.signIn(alice);
    const elsewhere = await player.signIn(alice);
    expect(await library.introspect(tokens.access_token)).toMatchObject({ active: true });

    const deleted = await run('client', 'delete', 'jukebox', '--yes', '--json');

    expect(await library.introspect(tokens.access_token)).toEqual({ active: false });
    expect(deleted).toMatchObject({ code: 0, stderr: '' });
    expect(deleted.json()).toEqual({ client_id: 'jukebox', status: 'deleted', signOut: expect.any(String) });
    expect(ears.by('jukebox').map(({ claims }) => claims['sub'])).toEqual([alice.id]);
    expect(await player.introspect(elsewhere.access_token)).toMatchObject({ active: true });
    expect(await jukebox.refresh(tokens)).toEqual({ error: 'invalid_client' });
    const again = await create(made, 'jukebox', '--device', '--public');
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('is not given again') });
  });

  test('says at a terminal what ends, and takes a no', async () => {
    const made = await commandWorld();
    await create(made, 'box', '--public', '--device');
    const screen = atTerminal(['client', 'delete', 'box', '--config', made.configFile]);
    await screen.seeing('[y/N]');
    screen.type('no\n');
    expect(await screen.ended).toBe(1);
    expect(await made.here('client', 'show', 'box')).toMatchObject({ code: 0 });
  });
});

test('a new secret is not given to somebody at a terminal who says no', async () => {
  const made = await commandWorld();
  await create(made, 'jukebox', '--redirect-uri', 'http://jukebox.test/callback');
  const before = (await made.rows())['clients'];
  const screen = atTerminal(['client', 'rotate-secret', 'jukebox', '--config', made.configFile]);
  await screen.seeing('[y/N]');
  screen.type('\n');
  expect(await screen.ended).toBe(1);
  expect(screen.screen.stderr).toContain('cut off until it has the new one');
  expect((await made.rows())['clients']).toEqual(before);
});

test('an initial access token lets somebody register a client, until everyone is signed out', async () => {
  const { run, here, issuer } = await commandWorld();
  const issued = await run('client', 'initial-access-token', '--expires-in', '600', '--json');
  const { initial_access_token: token, expiresAt } = issued.json() as {
    initial_access_token: string;
    expiresAt: string;
  };
  expect(Date.parse(expiresAt) - Date.now()).toBeGreaterThan(500_000);
  const register = async (): Promise<number> => {
    const response = await fetch(`${issuer}/reg`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ redirect_uris: ['https://new.test/callback'], client_name: 'New' }),
    });
    await response.body?.cancel();
    return response.status;
  };
  expect(await register()).toBe(201);
  await here('sign-out', '--everyone', '--yes');
  expect(await register()).toBe(401);
});
