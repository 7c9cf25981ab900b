import { randomUUID } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { getJson, launch, until, type Program } from './drive.ts';
import { PERSON } from './stand-in-provider.ts';
import { codeOf, reaches, signIn, useWorld } from './world.ts';

const world = useWorld();

describe('the media server', () => {
  let data: string;
  beforeEach(() => {
    data = join(world.folder, randomUUID());
  });

  /** The access token of somebody who uses the player, as the player presents it to its media server. */
  async function accessToken(): Promise<string> {
    const presented = Promise.withResolvers<string>();
    const listener = createServer((req, res) => {
      presented.resolve(req.headers.authorization ?? '');
      res.end('{}');
    });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const { port } = listener.address() as { port: number };
    await signIn(await world.startPlayer({ 'media-server': `http://localhost:${port}` }));
    listener.close();
    listener.closeAllConnections();
    return presented.promise;
  }

  const attachmentOf = () => readFile(join(data, 'attachment.json'), 'utf8');

  async function keptAfterAttaching(server: Program): Promise<string> {
    await world.issuer.approve(await codeOf(server));
    await reaches(server, 'attached');
    return attachmentOf();
  }

  test('opens its shelf to a live token, to no other, and to none while the issuer is away', async () => {
    const server = await world.startMediaServer(data);
    const authorization = await accessToken();
    const library = (headers: Record<string, string>) => fetch(`${server.url}/library`, { headers });
    const shelf = await library({ authorization });
    expect(shelf.status).toBe(200);
    expect(await shelf.json()).toMatchObject({ server: { name: 'Living-room library' }, titles: expect.any(Array) });

    const unasked = await library({});
    expect([unasked.status, unasked.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="media-server"']);
    const bogus = await library({ authorization: 'Bearer bogus' });
    expect(bogus.status).toBe(401);
    expect(bogus.headers.get('www-authenticate')).toContain('error="invalid_token"');
    const { refreshToken } = JSON.parse(await keptAfterAttaching(server)) as { refreshToken: string };
    expect((await library({ authorization: `Bearer ${refreshToken}` })).status).toBe(401);

    await world.issuer.goDown();
    expect((await library({ authorization })).status).toBe(503);
    await world.issuer.comeBack();
    expect((await library({ authorization })).status).toBe(200);
    world.issuer.endAccess();
    expect((await library({ authorization })).status).toBe(401);
  });

  test('an answer of the issuer is good for the time it was told, and then no longer', async () => {
    const server = await world.startMediaServer(data, { 'cache-seconds': '0.3' });
    const authorization = await accessToken();
    const library = async () => (await fetch(`${server.url}/library`, { headers: { authorization } })).status;
    expect(await library()).toBe(200);
    world.issuer.endAccess();
    await until('the token is refused', async () => (await library()) === 401);
  });

  test('keeps its identity through a sign-out and is re-attached by one approval', async () => {
    const server = await world.startMediaServer(data, { name: 'Attic' });
    const { id } = await reaches(server, 'waiting');
    const identity = await readFile(join(data, 'server.json'), 'utf8');
    await keptAfterAttaching(server);
    expect((await stat(join(data, 'attachment.json'))).mode & 0o777).toBe(0o600);
    expect(await getJson(`${server.url}/state`)).toEqual({ id, name: 'Attic', state: 'attached', owner: PERSON.sub });

    world.issuer.endAccess();
    expect(await reaches(server, 'waiting')).toMatchObject({ id, name: 'Attic' });
    expect((await readdir(data)).toSorted()).toEqual(['last-id-token.json', 'server.json']);
    const code = await codeOf(server);
    expect(await (await fetch(server.url)).text()).toContain('Waiting to be re-attached by its owner');
    await world.issuer.approve(code);
    expect(await reaches(server, 'attached')).toEqual({ id, name: 'Attic', state: 'attached', owner: PERSON.sub });
    expect(await readFile(join(data, 'server.json'), 'utf8')).toBe(identity);
  });

  test('says by its last ID Token who it was, over a restart too, and shows its code nonetheless', async () => {
    const before = await world.startMediaServer(data, { name: 'Attic' });
    await keptAfterAttaching(before);
    expect(world.issuer.hints).toEqual([undefined]);
    const kept = async () =>
      (JSON.parse(await readFile(join(data, 'last-id-token.json'), 'utf8')) as { idToken: string }).idToken;
    expect((await stat(join(data, 'last-id-token.json'))).mode & 0o777).toBe(0o600);
    const first = await kept();
    await until('a refresh brought a newer one', async () => (await kept()) !== first);

    world.issuer.endAccess();
    await reaches(before, 'waiting');
    await codeOf(before);
    const last = await kept();
    expect(world.issuer.hints).toEqual([undefined, last]);
    await before.stop();

    const after = await world.startMediaServer(data);
    const code = await codeOf(after);
    expect(await (await fetch(after.url)).text()).toContain('Waiting to be re-attached by its owner');
    expect(world.issuer.hints).toEqual([undefined, last, last]);
    await world.issuer.approve(code);
    await reaches(after, 'attached');
    expect(await kept()).not.toBe(last);
  });

  test('asks without, when the issuer will not hear who it was', async () => {
    await (await world.startMediaServer(data)).stop();
    const forgotten = {
      issuer: new URL(world.issuer.issuer).href,
      clientId: 'media-server',
      idToken: 'long.since.gone',
    };
    await writeFile(join(data, 'last-id-token.json'), JSON.stringify(forgotten));
    const server = await world.startMediaServer(data);
    await world.issuer.approve(await codeOf(server));
    await reaches(server, 'attached');
    expect(world.issuer.hints.slice(-2)).toEqual(['long.since.gone', undefined]);
    expect(server.log()).toContain('device.hint-refused');
  });

  test('keeps identity and attachment over a restart, whatever name it is started with', async () => {
    const before = await world.startMediaServer(data, { name: 'Attic' });
    await keptAfterAttaching(before);
    const { id } = await getJson(`${before.url}/state`);
    expect(await before.stop()).toBe(0);

    const after = await world.startMediaServer(data, { name: 'Cellar' });
    expect(after.name).toBe('Attic');
    expect(await getJson(`${after.url}/state`)).toEqual({ id, name: 'Attic', state: 'attached', owner: PERSON.sub });
    const kept = await attachmentOf();
    await until('it refreshed', async () => (await attachmentOf()) !== kept);
    expect((await getJson(`${after.url}/state`)).state).toBe('attached');
  });

  test('a refresh under way is kept when it is told to end', async () => {
    const server = await world.startMediaServer(data);
    await keptAfterAttaching(server);
    const asked = world.issuer.tokenRequests.length;
    const release = world.issuer.holdTokens();
    await until('a refresh is held', async () => world.issuer.tokenRequests.length > asked);
    const before = await attachmentOf();
    const ended = server.stop();
    await until('it has begun to end', () =>
      fetch(server.url).then(
        () => false,
        () => true,
      ),
    );
    release();
    expect(await ended).toBe(0);
    const kept = await attachmentOf();
    expect(kept).not.toBe(before);
    const again = await world.startMediaServer(data);
    await until('it refreshed', async () => (await attachmentOf()) !== kept);
    expect((await getJson(`${again.url}/state`)).state).toBe('attached');
  });

  test('refuses to become another server when its identity is damaged', async () => {
    await (await world.startMediaServer(data)).stop();
    await writeFile(join(data, 'server.json'), '{"id":');
    const { exited, text } = launch('media-server', { port: '0', 'client-secret-file': world.secretFile, data });
    expect(await exited).toBe(2);
    expect(text.err).toContain('is damaged');
    expect(await readFile(join(data, 'server.json'), 'utf8')).toBe('{"id":');
  });
});
