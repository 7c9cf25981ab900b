import { randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { getJson, launch, until } from './drive.ts';
import { PERSON } from './stand-in-provider.ts';
import { codeOf, reaches, useWorld } from './world.ts';

const world = useWorld();

describe('the TV', () => {
  test('plays once approved, says so when it was signed out, and plays again after one more approval', async () => {
    const tv = await world.startTv();
    const code = await codeOf(tv);
    const waiting = await (await fetch(tv.url)).text();
    expect(waiting).toContain(code);
    expect(waiting).toContain(`${world.issuer.issuer}/device`);
    expect(await getJson(`${tv.url}/state`)).toEqual({
      state: 'waiting',
      userCode: code,
      verificationUri: `${world.issuer.issuer}/device`,
      verificationUriComplete: `${world.issuer.issuer}/device?user_code=${code}`,
    });
    await world.issuer.approve(code);
    expect(await reaches(tv, 'playing')).toEqual({ state: 'playing', sub: PERSON.sub });
    expect(await (await fetch(tv.url)).text()).toContain('Playing for <strong>Ada &lt;Admin&gt;');
    world.issuer.endAccess();
    await reaches(tv, 'signed-out');
    const fresh = await codeOf(tv);
    expect(fresh).not.toBe(code);
    expect(await (await fetch(tv.url)).text()).toContain('This TV was signed out');
    await world.issuer.approve(fresh);
    await reaches(tv, 'playing');
  });

  test('shows a new code when one was denied or has expired', async () => {
    const tv = await world.startTv();
    const denied = await codeOf(tv);
    await world.issuer.deny(denied);
    const expired = await codeOf(tv, denied);
    world.issuer.refuseNext('expired_token');
    const code = await codeOf(tv, expired);
    await world.issuer.approve(code);
    await reaches(tv, 'playing');
  });

  test('asks five seconds less often after slow_down', async () => {
    const { tokenRequests } = world.issuer;
    world.issuer.refuseNext('slow_down');
    const tv = await world.startTv();
    await world.issuer.approve(await codeOf(tv));
    await reaches(tv, 'playing');
    const [first, second] = tokenRequests;
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThan(4_900);
  });

  test('goes on playing while the issuer is away', async () => {
    const tv = await world.startTv();
    await world.issuer.approve(await codeOf(tv));
    await reaches(tv, 'playing');
    await world.issuer.goDown();
    await until('a refresh has failed', async () => tv.log().includes('device.refresh-failed'));
    expect((await getJson(`${tv.url}/state`)).state).toBe('playing');
    await world.issuer.comeBack();
    const asked = world.issuer.tokenRequests.length;
    await until('it refreshes again', async () => world.issuer.tokenRequests.length > asked + 1);
    expect((await getJson(`${tv.url}/state`)).state).toBe('playing');
  });
});

describe('each program', () => {
  const all = ['web-player', 'tv', 'media-server', 'company'] as const;
  const begin = {
    'web-player': () => world.startPlayer(),
    tv: () => world.startTv(),
    'media-server': () => world.startMediaServer(join(world.folder, randomUUID())),
    company: () => world.startCompany(),
  };

  test.each(all)('%s says one line and ends within two seconds, open connections or not', async (script) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const program = await begin[script]();
      await (await fetch(program.url)).text();
      const since = performance.now();
      expect(await program.stop(signal)).toBe(0);
      expect(performance.now() - since).toBeLessThan(2_000);
      expect(program.output()).toBe(`ready ${program.name} ${program.url}\n`);
    }
  });

  test.each(all)('%s names a port that is in use', async (script) => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as { port: number };
    const { exited, text } = launch(script, {
      port: String(port),
      ...(script === 'company' ? { 'password-file': world.secretFile } : { issuer: world.issuer.issuer }),
      ...(script !== 'tv' && { 'client-secret-file': world.secretFile }),
      ...(script === 'media-server' && { data: join(world.folder, randomUUID()) }),
    });
    expect(await exited).toBe(1);
    expect(text.out).toBe('');
    expect(text.err).toContain(`port ${port} is already in use`);
    taken.close();
  });

  test('a mistaken flag is named', async () => {
    const { exited, text } = launch('tv', { prot: '1' });
    expect(await exited).toBe(2);
    expect(text.err).toContain("'--prot'");
  });
});
