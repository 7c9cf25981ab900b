import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';

import { readConfig } from '../../src/config/read.ts';
import {
  codeOf,
  DEMO,
  type Demo,
  isGone,
  isOpen,
  launchDemo,
  reaches,
  root,
  startDemo,
  temporaryFolder,
  until,
} from '../support/demo.ts';
import { freePort } from '../support/world.ts';
import { COMPANY, personAt } from './person.ts';

// Each test starts half a dozen programs, and waits for states, never for time.
vi.setConfig({ testTimeout: 90_000 });

const QUICK = ['--refresh-seconds', '0.5'];
const NAMES = ['Curfew', 'Lumen', 'Marquee', 'TV', 'Media server', COMPANY, 'Inbox'];

/** The company's second button. */
const SAML = `${COMPANY} (SAML)`;

const pidsOf = (demo: Pick<Demo, 'running'>): number[] => Object.values(demo.running().services).map(({ pid }) => pid);
/** What git would notice, and ignored folders that were not there. Other tests make pictures. */
const workTree = (): string[] => [
  execFileSync('git', ['status', '--porcelain'], { cwd: root, encoding: 'utf8' }),
  ...readdirSync(root).filter((name) => name !== 'artifacts'),
];

test('what it prints works, one press ends access at every app, and Ctrl-C ends everything', async () => {
  const before = workTree();
  const demo = await startDemo({ args: QUICK });
  const places = NAMES.map(demo.url) as [string, string, string, string, string, string];
  const [, lumen, marquee, tv, mediaServer] = places;
  const urls = [...demo.said().matchAll(/^[A-Z][\w -]*: (http:\S+)$/gm)].map(([, url = '']) => url);
  expect(urls).toEqual(expect.arrayContaining(places));
  for (const url of urls) expect([url, (await fetch(url)).status]).toEqual([url, 200]);
  // A URL inside a sentence would not be found by whoever reads line by line.
  expect(demo.said().match(/https?:/g)).toHaveLength(urls.length);

  const person = personAt(demo);
  expect(await person.signIn(lumen)).toEqual({ asked: true });
  expect(await person.signIn(marquee)).toEqual({ asked: false });
  const tvCode = await codeOf(tv);
  await person.connect(tvCode);
  await person.connect(await codeOf(mediaServer));
  await reaches(tv, 'playing');
  const attached = await reaches(mediaServer, 'attached');
  expect(await person.page(lumen)).toContain('Häxan');
  expect(await person.page(marquee)).toContain('Häxan');

  const receipt = await person.signOutOfAllDevices();
  const read = await until('nothing is left to wait for', async () => {
    const seen = await receipt.read();
    return seen['done'] === true && seen;
  });
  const rows = read['devices'] as { app: string; outcome: string }[];
  expect(rows.map(({ app, outcome }) => `${app}: ${outcome}`).toSorted()).toEqual([
    'Lumen for TV: not-applicable',
    'Lumen: told',
    'Marquee: told',
    'Media server: not-applicable',
  ]);

  expect(await person.session(lumen)).toEqual({ signedIn: false });
  expect(await person.session(marquee)).toEqual({ signedIn: false });
  await reaches(tv, 'signed-out');
  const waiting = await reaches(mediaServer, 'waiting');
  expect([waiting['id'], waiting['name']]).toEqual([attached['id'], attached['name']]);

  expect(await person.signIn(lumen)).toEqual({ asked: true });
  await person.connect(await codeOf(tv, tvCode));
  await person.reattach(await codeOf(mediaServer));
  await reaches(tv, 'playing');
  expect(await reaches(mediaServer, 'attached')).toEqual(attached);

  const pids = pidsOf(demo);
  expect(await demo.end('SIGINT')).toBe(0);
  expect(demo.complained()).toBe('');
  expect(pids.filter((pid) => !isGone(pid))).toEqual([]);
  for (const url of places) expect([url, await isOpen(url)]).toEqual([url, false]);
  expect(workTree()).toEqual(before);
});

test('people of the company sign in there, anew after a sign-out; and a sign-out there ends what they entered', async () => {
  const demo = await startDemo();
  const [lumen, marquee] = [demo.url('Lumen'), demo.url('Marquee')];
  const isOut = (person: ReturnType<typeof personAt>, player: string) =>
    until(`${player} has been told`, async () => !(await person.session(player)).signedIn);
  expect(demo.companyAccount.password).not.toBe(demo.account.password);

  for (const button of [COMPANY, SAML]) {
    const person = personAt(demo);
    expect([button, await person.signInThrough(lumen, button)]).toEqual([button, { asked: 'Sign in' }]);
    expect(await person.signIn(marquee)).toEqual({ asked: false });
    expect((await person.session(lumen)).signedIn).toBe(true);
    expect((await person.session(marquee)).signedIn).toBe(true);

    await person.signOutOfAllDevices();
    await isOut(person, lumen);
    await isOut(person, marquee);
    // Nothing has ended at the company, and that is not enough to come back.
    expect((await person.company.open('/')).text).toContain('Mira Okafor');
    expect([button, await person.signInThrough(lumen, button)]).toEqual([button, { asked: 'Sign in again' }]);
    expect((await person.session(lumen)).signedIn).toBe(true);
  }

  // Companies tell the time of a sign-in in whole seconds: one in the second of a sign-out does not count as later.
  const endedIn = Math.floor(Date.now() / 1000);
  await until('the next second', async () => Math.floor(Date.now() / 1000) > endedIn);
  // One sign-in at the company, two browsers here, two protocols.
  const first = personAt(demo);
  expect(await first.signInThrough(lumen, COMPANY)).toEqual({ asked: 'Sign in' });
  const second = personAt(demo, first.company);
  expect(await second.signInThrough(marquee, SAML)).toEqual({ asked: false });
  const bystander = personAt(demo);
  expect(await bystander.signInThrough(lumen, COMPANY)).toEqual({ asked: 'Sign in' });
  expect(await second.signOutAtCompany()).toEqual([
    'Curfew : accepted by OpenID Connect, at its back channel',
    'Curfew : accepted by SAML single logout, through your browser',
  ]);
  await isOut(first, lumen);
  await isOut(second, marquee);
  expect((await bystander.session(lumen)).signedIn).toBe(true);
  expect(await first.signInThrough(lumen, COMPANY)).toEqual({ asked: 'Sign in' });
});

test('a restart keeps the account and the media server; --fresh begins anew; one folder holds one demo', async () => {
  const folder = temporaryFolder();
  const first = await startDemo({ folder });
  const { id } = await reaches(first.url('Media server'), 'waiting');
  expect(await personAt(first).signInThrough(first.url('Lumen'), SAML)).toEqual({ asked: 'Sign in' });

  const second = launchDemo({ folder });
  expect(await second.ended).toBe(1);
  expect(second.complained()).toContain(`already running on ${folder}, at ${first.url('Curfew')}`);
  expect((await fetch(first.url('Curfew'))).status).toBe(200);
  expect(await first.end()).toBe(0);

  const again = await startDemo({ folder });
  expect(again.account).toEqual(first.account);
  expect(again.companyAccount).toEqual(first.companyAccount);
  expect(await personAt(again).signIn(again.url('Lumen'))).toEqual({ asked: true });
  // It has new keys and another port, and Curfew knows them.
  expect(await personAt(again).signInThrough(again.url('Lumen'), SAML)).toEqual({ asked: 'Sign in' });
  expect((await reaches(again.url('Media server'), 'waiting'))['id']).toBe(id);
  expect(await again.end()).toBe(0);

  writeFileSync(join(folder, 'notes.txt'), 'not the demo’s');
  const fresh = await startDemo({ folder, args: ['--fresh'] });
  expect(fresh.account.password).not.toBe(first.account.password);
  expect(await personAt(fresh).signIn(fresh.url('Marquee'))).toEqual({ asked: true });
  expect((await reaches(fresh.url('Media server'), 'waiting'))['id']).not.toBe(id);
  expect(readFileSync(join(folder, 'notes.txt'), 'utf8')).toBe('not the demo’s');
});

/** A free port, of which the next one is taken: by us, until the test is over. Other tests may be there first. */
async function freePortBeforeOneOfOurs(): Promise<number> {
  for (;;) {
    const port = await freePort();
    const others = createServer();
    const ours = await new Promise<boolean>((resolve) => {
      others.once('error', () => resolve(false));
      others.listen(port + 1, '127.0.0.1', () => resolve(true));
    });
    if (!ours) continue;
    onTestFinished(() => void others.close());
    return port;
  }
}

test('a port that is taken is stepped over: its app still signs people in, and the configuration is valid', async () => {
  const port = await freePortBeforeOneOfOurs();
  const demo = await startDemo({ args: ['--ports', String(port)] });
  expect(demo.said()).toContain(`Port ${port + 1} is taken: Lumen gets `);
  expect(Number(new URL(demo.url('Lumen')).port)).toBeGreaterThan(port + 5);
  const person = personAt(demo);
  expect(await person.signIn(demo.url('Lumen'))).toEqual({ asked: true });
  expect((await person.session(demo.url('Lumen'))).signedIn).toBe(true);

  const reading = readConfig({ file: join(demo.folder, 'curfew.yaml'), env: {} });
  expect(reading).toMatchObject({ ok: true, warnings: [] });
  expect(reading.ok && reading.config.issuer).toBe(demo.url('Curfew'));
  for (const secret of [
    'password',
    'keyring.json',
    'lumen',
    'marquee',
    'media-server',
    'company',
    'company-password',
  ]) {
    expect([secret, statSync(join(demo.folder, 'secrets', secret)).mode & 0o777]).toEqual([secret, 0o600]);
  }
  expect(readFileSync(join(demo.folder, 'secrets/password'), 'utf8').trim()).toBe(demo.account.password);
});

test('a program that cannot start is named, and takes the others with it', async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'secrets'));
  mkdirSync(join(folder, 'media-server'));
  // Damaged: the media server refuses to become another one.
  writeFileSync(join(folder, 'media-server/server.json'), '{');
  const demo = launchDemo({ folder });
  const pids = await until('its programs are started', () => {
    try {
      return pidsOf(demo);
    } catch {
      return demo.child.exitCode !== null && [];
    }
  });
  expect(await demo.ended).toBe(1);
  expect(demo.complained()).toContain('Media server ended unexpectedly');
  expect(demo.complained()).toContain('is damaged: repair it');
  expect(pids.filter((pid) => !isGone(pid))).toEqual([]);
});

test('Ctrl-C while it is starting ends what was started', async () => {
  const demo = launchDemo();
  await until('it is starting', () => demo.said().includes('Starting Curfew'));
  const pids = pidsOf(demo);
  demo.child.kill('SIGINT');
  expect(await demo.ended).toBe(0);
  expect(pids.filter((pid) => !isGone(pid))).toEqual([]);
});

// That they also end when the demo itself is killed, every test here shows when it is finished.
test('when whoever started it is killed, everything ends all the same', async () => {
  const folder = temporaryFolder();
  const command = [process.execPath, ...DEMO, '--data', folder, '--ports', 'auto'];
  // A shell that stays between, as npm puts one there.
  const shell = spawn('sh', ['-c', '"$@"; :', 'sh', ...command], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void shell.kill('SIGKILL'));
  let said = '';
  shell.stdout.on('data', (chunk) => (said += String(chunk)));
  await until('the demo is ready', () => said.includes('Ctrl-C'));
  const orphaned = JSON.parse(readFileSync(join(folder, 'running.json'), 'utf8')) as ReturnType<Demo['running']>;
  shell.kill('SIGKILL');
  const everybody = [orphaned.pid, ...Object.values(orphaned.services).map(({ pid }) => pid)];
  await until('nobody is left', () => everybody.every(isGone));
});

test('an older Node is told what is missing', () => {
  const older = `data:text/javascript,Object.defineProperty(process, 'versions', { value: { node: '20.1.0' } })`;
  const run = () =>
    execFileSync(process.execPath, ['--import', older, ...DEMO], { cwd: root, encoding: 'utf8', stdio: 'pipe' });
  expect(run).toThrow('The demo needs Node 24 or later; this is Node 20.1.0.');
});

test('a mistaken option is named, with the options there are', async () => {
  const demo = launchDemo({ args: ['--ports', 'many'] });
  expect(await demo.ended).toBe(2);
  expect(demo.complained()).toContain('--ports many: must be a port number');
  expect(demo.complained()).toContain('--fresh');
});
