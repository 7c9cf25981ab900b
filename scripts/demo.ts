/**
 * The demo: Curfew on its embedded store and the example apps around it, started by one command and ended by one Ctrl-C.
 *
 * It is an operator's day in small: it writes a configuration, creates an account with the operator's command, starts the
 * server and the apps as programs of their own, and gets out of the way. The promise: what it prints works when it is
 * printed, nothing is written outside its folder, and nothing runs on when it has ended.
 */
import { isAbsolute, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { DEFAULT_PORTS, type Folder, openFolder, type Service } from './demo/folder.ts';
import { guide, type Urls } from './demo/guide.ts';
import { freePorts } from './demo/ports.ts';
import { answering, createPrograms, type Program, ProgramFailed, type Programs } from './demo/programs.ts';

const USAGE = `npm run demo -- [options]

  --fresh                begin with an empty store and a new account
  --data DIR             keep everything in DIR instead of .demo
  --ports FIRST          use FIRST and the six ports after it (default ${DEFAULT_PORTS.curfew}); auto: any free ones
  --refresh-seconds N    how often the TV and the media server refresh their access (default 5)
`;

const root = fileURLToPath(new URL('..', import.meta.url));
const USERNAME = 'demo';
/** Who works at the company, in examples/company/people.ts. */
const COMPANY_USERNAME = 'mira';
const PARENT_CHECK_MS = 500;
// Below the range from which systems take ports for outgoing connections.
const AUTO_PORTS = { from: 20_000, to: 30_000 };
const NAMES: Readonly<Record<Service, string>> = {
  curfew: 'Curfew',
  lumen: 'Lumen',
  marquee: 'Marquee',
  tv: 'TV',
  'media-server': 'Media server',
  inbox: 'Inbox',
  company: 'Pinwhistle Pictures',
};

type Options = { fresh: boolean; data: string; firstPort: number; refreshSeconds: string };

/** Something a person can mend; the message says how. */
class Refused extends Error {
  override readonly name = 'Refused';
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      fresh: { type: 'boolean', default: false },
      data: { type: 'string', default: resolve(root, '.demo') },
      ports: { type: 'string', default: String(DEFAULT_PORTS.curfew) },
      'refresh-seconds': { type: 'string', default: '5' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    say(USAGE);
    process.exit(0);
  }
  const firstPort =
    values.ports === 'auto'
      ? AUTO_PORTS.from + Math.floor(Math.random() * (AUTO_PORTS.to - AUTO_PORTS.from))
      : Number(values.ports);
  if (!Number.isInteger(firstPort) || firstPort < 1 || firstPort > 65_000) {
    throw new TypeError(`--ports ${values.ports}: must be a port number up to 65000, or auto`);
  }
  const refreshSeconds = values['refresh-seconds'];
  if (!(Number(refreshSeconds) > 0)) throw new TypeError(`--refresh-seconds ${refreshSeconds}: must be above 0`);
  return { fresh: values.fresh, data: resolve(values.data), firstPort, refreshSeconds };
}

/** Starts everything, says where it is, and rejects when a program ends by itself. */
async function run(options: Options, folder: Folder, programs: Programs): Promise<never> {
  const place = shortPath(folder.path);
  await refuseSecondDemo(folder, place);
  if (options.fresh) folder.wipe();
  say(`Preparing ${place} …\n`);
  folder.prepare();

  const services = Object.keys(DEFAULT_PORTS) as Service[];
  const wishOf = (service: Service): number => options.firstPort + DEFAULT_PORTS[service] - DEFAULT_PORTS.curfew;
  const found = await freePorts(services.map(wishOf));
  const ports = Object.fromEntries(services.map((service, at) => [service, found[at]])) as Record<Service, number>;
  const urls = Object.fromEntries(
    services.map((service) => [service, `http://localhost:${ports[service]}`]),
  ) as unknown as Urls;
  for (const service of services) {
    const wish = wishOf(service);
    if (ports[service] !== wish) say(`Port ${wish} is taken: ${NAMES[service]} gets ${ports[service]}.\n`);
  }
  folder.writeConfiguration(ports);

  if (!folder.hasAccount()) {
    say(`Creating the account ${USERNAME} …\n`);
    await createAccount(folder, programs);
  }

  const started = start({ options, folder, programs, ports, urls });
  folder.noteRunning({
    pid: process.pid,
    services: Object.fromEntries(
      services.map((service) => [service, { pid: started[service].pid, url: urls[service] }]),
    ) as never,
  });
  say(`Starting ${services.map((service) => NAMES[service]).join(', ')} …\n`);
  await Promise.all(
    services.map(async (service) => {
      await answering(started[service], () => isReady(service, urls[service]));
      say(`  ${NAMES[service]} is ready\n`);
    }),
  );

  await readCompanyMetadata(folder, programs);

  const account = { username: USERNAME, password: folder.password() };
  const companyAccount = { username: COMPANY_USERNAME, password: folder.companyPassword() };
  say(guide({ urls, account, companyAccount, folder: place }));
  return Promise.race(services.map((service) => started[service].failed));
}

async function createAccount(folder: Folder, programs: Programs): Promise<void> {
  const { configFile, passwordFile } = folder;
  const account = ['--username', USERNAME, '--email', `${USERNAME}@example.test`, '--password-file', passwordFile];
  const words = ['account', 'create', ...account, '--json', '--config', configFile];
  await programs.run('Creating the account', 'account', 'scripts/curfew.ts', words);
  folder.accountMade(USERNAME);
}

/** The company has new keys at every start, and maybe another port: Curfew would look by itself, but not for hours. */
async function readCompanyMetadata(folder: Folder, programs: Programs): Promise<void> {
  const words = ['connection', 'refresh', 'company-saml', '--json', '--config', folder.configFile];
  await programs.run('Reading the SAML metadata of the company', 'connection', 'scripts/curfew.ts', words);
}

function start(parts: {
  options: Options;
  folder: Folder;
  programs: Programs;
  ports: Readonly<Record<Service, number>>;
  urls: Urls;
}): Record<Service, Program> {
  const { options, folder, programs, ports, urls } = parts;
  const serve = (service: Service, script: string, flags: Readonly<Record<string, string>>): Program => {
    const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
    return programs.serve(NAMES[service], service, script, args);
  };
  const app = (service: Service) => ({ port: String(ports[service]), issuer: urls.curfew, 'client-id': service });
  const player = (service: 'lumen' | 'marquee', sessionRequired: boolean): Program =>
    serve(service, 'examples/web-player/server.ts', {
      ...app(service),
      name: NAMES[service],
      'client-secret-file': folder.secretFile(service),
      'session-required': String(sessionRequired),
      'media-server': urls['media-server'],
    });
  const device = { 'refresh-seconds': options.refreshSeconds };
  return {
    curfew: serve('curfew', 'src/main.ts', { config: folder.configFile }),
    lumen: player('lumen', true),
    marquee: player('marquee', false),
    tv: serve('tv', 'examples/tv/server.ts', { ...app('tv'), ...device, name: 'Living room TV' }),
    'media-server': serve('media-server', 'examples/media-server/server.ts', {
      ...app('media-server'),
      ...device,
      'client-secret-file': folder.secretFile('media-server'),
      data: folder.mediaServer,
    }),
    inbox: serve('inbox', 'examples/inbox/server.ts', { port: String(ports.inbox), folder: folder.mail }),
    company: serve('company', 'examples/company/server.ts', {
      port: String(ports.company),
      name: NAMES.company,
      'password-file': folder.companyPasswordFile,
      'client-secret-file': folder.secretFile('company'),
      'redirect-uri': `${urls.curfew}/federation/company/callback`,
      'post-logout-redirect-uri': `${urls.curfew}/signed-out`,
      'backchannel-logout-uri': `${urls.curfew}/federation/company/backchannel-logout`,
      'saml-metadata-url': `${urls.curfew}/saml/company-saml/metadata`,
    }),
  };
}

/** Not only up: the players have found Curfew, and the devices have a code to show. */
async function isReady(service: Service, url: string): Promise<boolean> {
  switch (service) {
    case 'curfew':
      return (await fetch(`${url}/readyz`)).ok;
    case 'lumen':
    case 'marquee':
      return (await fetch(`${url}/login`, { redirect: 'manual' })).status === 303;
    case 'tv':
    case 'media-server': {
      const state = (await (await fetch(`${url}/state`)).json()) as { userCode?: string; owner?: string };
      return state.userCode !== undefined || state.owner !== undefined;
    }
    case 'inbox':
      return (await fetch(url)).ok;
    case 'company':
      return (await fetch(`${url}/saml/metadata`)).ok;
  }
}

/** Two demos on one folder would write to one store under two addresses. */
async function refuseSecondDemo(folder: Folder, place: string): Promise<void> {
  const running = folder.running();
  if (running === undefined || !isAlive(running.pid)) return;
  const { url } = running.services.curfew;
  const answers = await fetch(`${url}/healthz`).then(
    ({ ok }) => ok,
    () => false,
  );
  if (answers) {
    throw new Refused(
      `A demo is already running on ${place}, at ${url} (process ${running.pid}). Stop it first, or name another folder with --data.`,
    );
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function shortPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short === '' || short.startsWith('..') || isAbsolute(short) ? path : short;
}

function say(text: string): void {
  process.stdout.write(text);
}

/** Resolves when the demo is asked to end: by a signal, or because whoever started it is gone. A second signal kills. */
function askedToEnd(programs: Programs): Promise<void> {
  const { promise, resolve: end } = Promise.withResolvers<void>();
  let asked = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (asked && signal === 'SIGINT') programs.kill();
      asked = true;
      end();
    });
  }
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && end(), PARENT_CHECK_MS).unref();
  // Nobody reads what is written any more.
  process.stdout.on('error', () => end());
  process.stderr.on('error', () => end());
  return promise;
}

let options: Options;
try {
  options = readOptions();
} catch (fault) {
  process.stderr.write(`${fault instanceof Error ? fault.message : String(fault)}\n\n${USAGE}`);
  process.exit(2);
}
const folder = openFolder(options.data);
const programs = createPrograms({ logFolder: folder.logs });
const ended = askedToEnd(programs);
try {
  await Promise.race([run(options, folder, programs), ended]);
  say('\nStopping …\n');
  await programs.stop();
  folder.forgetRunning();
  say(`Stopped. Nothing runs any more.\n`);
  process.exit(0);
} catch (fault) {
  if (!(fault instanceof Refused)) {
    await programs.stop();
    folder.forgetRunning();
  }
  const known = fault instanceof Refused || fault instanceof ProgramFailed;
  process.stderr.write(`\n${known ? fault.message : String(fault instanceof Error ? fault.stack : fault)}\n`);
  process.exit(1);
}
