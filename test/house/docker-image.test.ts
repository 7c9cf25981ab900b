/** The image starts, and works, from exactly what the Dockerfile copies, and writes nowhere but to its volumes. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';

import { freePort } from '../support/world.ts';
import { type Built, buildImage, type Prepared, prepare } from './docker-build.ts';
import { DOCKERFILE, type Files, planted, shipped } from './docker-files.ts';

const PATIENCE = { timeout: 60_000, interval: 25 };

let parts: Prepared;
beforeAll(() => {
  parts = prepare(shipped);
});
afterAll(() => parts.remove());

function build(files: Files): Built {
  const image = buildImage(files, parts);
  onTestFinished(() => image.remove());
  return image;
}

type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

async function toItsEnd(child: ChildProcess): Promise<Ended> {
  const said = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk) => (said.stdout += String(chunk)));
  child.stderr?.on('data', (chunk) => (said.stderr += String(chunk)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...said };
}

/** A container of the image: its volumes, its configuration on a port that is free, its default command. */
async function container(image: Built) {
  const port = await freePort();
  const volumes = { data: image.volume('data'), secrets: image.volume('secrets') };
  const moved = (text: string): string =>
    text
      .replaceAll(':3000', `:${port}`)
      .replace('port: 3000', `port: ${port}`)
      .replace('host: 0.0.0.0', 'host: 127.0.0.1')
      .replace('/data/', `${volumes.data}/`)
      .replace('/secrets/', `${volumes.secrets}/`)
      .replace('/app/', `${image.at('/app')}/`);
  const file = (name: string, content: string): string => {
    const path = join(image.volume('mounted'), name);
    writeFileSync(path, content);
    return path;
  };
  const own = readFileSync(image.at(image.settings.env['CURFEW_CONFIG'] ?? ''), 'utf8');
  const env = { CURFEW_CONFIG: file('curfew.yaml', moved(own)) };
  const { entrypoint, cmd, healthcheck } = image.settings;
  const run = (...words: string[]): Promise<Ended> => toItsEnd(image.start(words, env));
  return {
    url: `http://127.0.0.1:${port}`,
    volumes,
    file,
    run,
    /** The health check's own words, about this port. */
    healthy: () => run(...healthcheck.map(moved)),
    start() {
      const child = image.start([...(entrypoint ?? []), ...cmd], env);
      const ended = toItsEnd(child);
      onTestFinished(async () => {
        child.kill('SIGKILL');
        await ended;
      });
      return { child, ended };
    },
  };
}

/** Everything that an image must be able to do, each with nothing but what is in it. Throws at the first that it cannot. */
async function trial(image: Built): Promise<void> {
  const { url, run, healthy, start, file, volumes } = await container(image);
  const before = image.listing();
  expect(Object.keys(before).length).toBeGreaterThan(1000);
  expect((await healthy()).code).not.toBe(0);

  const { child, ended } = start();
  const status = (path: string): Promise<number | null> =>
    fetch(`${url}${path}`).then(
      (answer) => answer.status,
      () => null,
    );
  const isReady = async (): Promise<boolean> => child.exitCode !== null || (await status('/readyz')) === 200;
  await expect.poll(isReady, PATIENCE).toBe(true);
  if (child.exitCode !== null) throw new Error(`it ended: ${(await ended).stderr}`);
  expect(await healthy()).toEqual({ code: 0, stdout: '', stderr: '' });
  expect(await status('/sign-in')).toBe(200);
  expect(await status('/assets/curfew.css')).toBe(200);

  const account = [
    'curfew',
    'account',
    'create',
    '--username',
    'ada',
    '--email',
    'ada@example.test',
    '--password-file',
  ];
  const common = await run(...account, file('common', 'passwordpassword\n'));
  expect(common.stderr).toContain('password cannot be used');
  const good = await run(...account, file('good', 'lantern over a quiet harbour\n'));
  expect(good).toMatchObject({ code: 0, stdout: expect.stringContaining('ada') });

  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 0, stdout: expect.stringContaining('"server.stopped"') });
  expect((await healthy()).code).not.toBe(0);
  expect(image.listing()).toEqual(before);
  expect(readFileSync(join(volumes.data, 'curfew.db')).length).toBeGreaterThan(0);
  expect(JSON.parse(readFileSync(join(volumes.secrets, 'keyring.json'), 'utf8'))).toHaveProperty('keys');
}

test('the image serves, is healthy until it stops, runs commands, and changes nothing of itself', async () => {
  const image = build(shipped);
  await trial(image);
  expect(await compiled(image)).toEqual({ found: expect.toSatisfy((found) => found > 500), missed: false });
  // The listing would have told.
  const before = image.listing();
  utimesSync(image.at('/app/package.json'), 0, 0);
  expect(image.listing()).not.toEqual(before);
});

test.each([
  ['its pages', DOCKERFILE, /^COPY views .*$/m, '', /it ended: [^]*ENOENT[^]*views/],
  ['the password blocklist', DOCKERFILE, /^COPY config\/password-blocklist.*$/m, '', /the password block/],
  ['a part of its command', DOCKERFILE, /^COPY scripts\/terminal .*$/m, '', /--version[^]*ERR_MODULE_NOT_FOUND/],
  ['its packages', DOCKERFILE, /^COPY --from=dependencies .*$/m, '', /--version[^]*ERR_MODULE_NOT_FOUND/],
  ['its version', DOCKERFILE, 'LICENSE package.json', 'LICENSE', /--version[^]*package\.json/],
  ['most of its sources', DOCKERFILE, 'COPY src src/', 'COPY src/oidc src/oidc/', /--version[^]*ERR_MODULE_NOT_FOUND/],
  ['what is ignored', '.dockerignore', '!src', '!src/web', /--version[^]*ERR_MODULE_NOT_FOUND/],
  [
    'a place for its keys',
    'docker/config/curfew.yaml',
    '/secrets/',
    '/app/',
    /it ended: .*keyring.* cannot be written/,
  ],
])('an image without %s does not get through', async (_what, path, from, to, complaint) => {
  await expect(async () => trial(build(planted(path, from, to)))).rejects.toThrow(complaint);
});

/** How many programs it loads as they were compiled when it was built, MongoDB's among them, and whether any is not. */
async function compiled(image: Built): Promise<{ found: number; missed: boolean }> {
  let said = '';
  const engine = `import('${image.at('/app/src/store/mongo/open.ts')}')`;
  for (const words of [
    ['curfew', '--version'],
    ['node', '-e', engine],
  ]) {
    const ended = await toItsEnd(image.start(words, { NODE_DEBUG_NATIVE: 'COMPILE_CACHE' }));
    expect(ended.code).toBe(0);
    said += ended.stdout + ended.stderr;
  }
  return { found: said.match(/accepted/g)?.length ?? 0, missed: /denied|rejected|was not initialized/.test(said) };
}

test.each([
  ['what is not copied', /^COPY --from=compiled .*$/m, ''],
  ['an engine that is not loaded', ` && node -e "import('/app/src/store/mongo/open.ts')"`, ''],
])('%s is not there as it was compiled', async (_what, from, to) => {
  expect(await compiled(build(planted(DOCKERFILE, from, to)))).toMatchObject({ missed: true });
});

// Only root can hand files to another user, as a builder does.
test.runIf(process.getuid?.() === 0)('what its user may not read is not there as it was compiled', async () => {
  const image = build(planted(DOCKERFILE, ' && chmod -R a+rX "$NODE_COMPILE_CACHE"', ''));
  expect(await compiled(image)).toMatchObject({ missed: true });
});
