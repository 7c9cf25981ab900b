/**
 * Everything in which the container files disagree with each other: the image, the compose files, Curfew's configurations,
 * the proxy's, and the script that makes the replica set. Each may be right by itself and the whole still not start, or
 * start and lose its keys.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';

import { formatProblems, readConfig } from '../../src/config/read.ts';
import type { Config } from '../../src/config.ts';
import { isOurs } from './docker-compose-faults.ts';
import { type ComposeFile, type ComposeService, mountsOf, portsOf, readCompose } from './docker-compose-file.ts';
import type { Files } from './docker-files.ts';
import type { Image } from './docker-image-faults.ts';

/** The server gives requests in flight ten seconds, and then closes the store. */
const STOP_SECONDS = 15;
/** Anything that would send one person's requests to one node. */
const AFFINITY = /lb_policy\s+(ip_hash|client_ip_hash|uri_hash|header|cookie|query|first)/;

type Node = { readonly name: string; readonly service: ComposeService };

export function houseFaults(path: string, files: Files, image: Image): string[] {
  const { file } = readCompose(files.read(path));
  if (file === undefined) return [];
  const nodes = Object.entries(file.services)
    .filter(([, service]) => isOurs(service))
    .map(([name, service]) => ({ name, service }));
  const faults = [
    ...nodes.flatMap((node) => nodeFaults(node, image, files).map((fault) => `services.${node.name}: ${fault}`)),
    ...keyringFaults(nodes, file),
    ...configurationsOf(nodes, path, file, files, image).flatMap((configuration) =>
      typeof configuration === 'string'
        ? [configuration]
        : togetherFaults(configuration, { file, nodes, path, files, image }),
    ),
  ];
  return faults.map((fault) => `${path}: ${fault}`);
}

/** `CURFEW_CONFIG`'s file as Curfew reads it, its secrets being there; or what Curfew says against it. */
function readShippedConfig(text: string): { readonly config?: Config; readonly faults: string[] } {
  const folder = mkdtempSync(join(tmpdir(), 'curfew-shipped-config-'));
  try {
    const substituted = text.replaceAll(/\/run\/secrets\/([\w-]+)/g, (_, name: string) => {
      writeFileSync(join(folder, name), 'correct horse battery staple\n');
      return join(folder, name);
    });
    writeFileSync(join(folder, 'curfew.yaml'), substituted);
    const reading = readConfig({ file: join(folder, 'curfew.yaml') });
    if (!reading.ok) return { faults: [formatProblems(reading.problems)] };
    return { config: reading.config, faults: reading.warnings.map((warning) => formatProblems([warning])) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

type Configuration = { readonly config: Config; readonly text: string; readonly source: string };

function configurationsOf(
  nodes: readonly Node[],
  path: string,
  file: ComposeFile,
  files: Files,
  image: Image,
): (Configuration | string)[] {
  const target = image.settings.env['CURFEW_CONFIG'];
  const sources = new Set(
    nodes.flatMap(({ service: { configs = [] } }) =>
      configs.filter((each) => each.target === target).map((each) => each.source),
    ),
  );
  if (sources.size !== 1) return ['its nodes are not configured by one and the same file'];
  return [...sources].flatMap((name) => {
    const declared = file.configs[name];
    const source = posix.join(posix.dirname(path), declared?.file ?? '');
    if (declared === undefined || !files.exists(source)) return [];
    const text = files.read(source);
    const [, schema] = /\$schema=(\S+)/.exec(text) ?? [];
    if (schema && !files.exists(posix.join(posix.dirname(source), schema))) return [`${source}: there is no ${schema}`];
    const { config, faults } = readShippedConfig(text);
    return config ? [...faults, { config, text, source }] : faults.map((fault) => `${source}: ${fault}`);
  });
}

function nodeFaults({ service }: Node, image: Image, files: Files): string[] {
  const { env, volumes } = image.settings;
  const faults: string[] = [];
  const { version } = JSON.parse(files.read('package.json')) as { version: string };
  if (service.image !== `curfew:${version}`)
    faults.push(`${service.image} is not the version of package.json, ${version}`);
  if (!service.configs?.some(({ target }) => target === env['CURFEW_CONFIG'])) faults.push('nothing configures it');
  if (service.user !== undefined) faults.push('it does not run as the user whom the image prepares its volumes for');
  if (service.init !== true) faults.push('a signal that comes too early is lost on it');
  if (secondsOf(service.stop_grace_period) < STOP_SECONDS) faults.push('it may be killed while it stops');
  const covered = [...mountsOf(service).map(({ path }) => path), ...(service.tmpfs ?? [])];
  for (const volume of volumes) if (!covered.includes(volume)) faults.push(`a nameless volume lies at ${volume}`);
  return faults;
}

const secondsOf = (duration = '10s'): number =>
  Number.parseInt(duration, 10) * (duration.endsWith('m') ? 60 : duration.endsWith('s') ? 1 : 0);

/** One node makes the keyring; the others cannot, and come after it. */
function keyringFaults(nodes: readonly Node[], { services }: ComposeFile): string[] {
  const secrets = nodes.map(({ name, service }) => ({
    name,
    awaited: service.depends_on ?? {},
    mount: mountsOf(service).find(({ path }) => path === '/secrets'),
  }));
  if (new Set(secrets.map(({ mount }) => mount?.volume)).size > 1) return ['its nodes have a keyring each'];
  const [maker, ...more] = secrets.filter(({ mount }) => mount?.readOnly === false);
  if (maker === undefined) return ['no node can make the keyring'];
  const others = secrets.filter((each) => each !== maker && !more.includes(each));
  const strangers = Object.entries(services)
    .filter(([, service]) => !isOurs(service) && mountsOf(service).some(({ volume }) => volume === maker.mount?.volume))
    .map(([name]) => `${name} can read the keyring`);
  return [
    ...more.map(({ name }) => `${name} could make another keyring than ${maker.name}`),
    ...others
      .filter(({ awaited }) => awaited[maker.name]?.condition !== 'service_healthy')
      .map(({ name }) => `${name} does not wait until ${maker.name} has made the keyring`),
    ...strangers,
  ];
}

type Surroundings = {
  readonly file: ComposeFile;
  readonly nodes: readonly Node[];
  readonly path: string;
  readonly files: Files;
  readonly image: Image;
};

function togetherFaults({ config, text, source }: Configuration, around: Surroundings): string[] {
  const { file, nodes, image } = around;
  const { issuer, listen, trustProxy, store, keyringFile } = config;
  const faults: string[] = [];
  if (listen.host !== '0.0.0.0') faults.push('it listens where no other container can reach it');
  if (listen.port !== image.settings.ports[0]) faults.push(`it does not listen on port ${image.settings.ports[0]}`);
  for (const { name, service } of nodes) {
    const mounts = mountsOf(service);
    const lies = (path: string): string | undefined => mounts.find((each) => path.startsWith(`${each.path}/`))?.volume;
    if (lies(keyringFile) === undefined) faults.push(`${name} keeps no volume for ${keyringFile}`);
    if (store.engine === 'sqlite') {
      if (lies(store.path) === undefined) faults.push(`${name} keeps no volume for ${store.path}`);
      if (lies(store.path) === lies(keyringFile)) faults.push(`${name} keeps its data and its keyring in one volume`);
    }
    for (const [, secret = ''] of text.matchAll(/\/run\/secrets\/([\w-]+)/g)) {
      if (!service.secrets?.includes(secret)) faults.push(`${name} is not given the secret ${secret}`);
    }
  }
  if (store.engine === 'sqlite' && nodes.length > 1) faults.push('only one process writes to an embedded store');
  const proxied = trustProxy > 0;
  if (proxied !== issuer.startsWith('https:')) faults.push('it is behind a proxy if and only if its issuer is https');
  const entrance = Object.entries(file.services).filter(([, service]) =>
    portsOf(service).some(({ outside }) => String(outside) === new URL(issuer).port),
  );
  const [name, service] = entrance[0] ?? [];
  if (name === undefined || service === undefined) faults.push(`nothing is published where the issuer says, ${issuer}`);
  else if (isOurs(service) === proxied)
    faults.push(`${name} is published as the issuer and trustProxy is ${trustProxy}`);
  for (const node of proxied ? nodes : []) {
    if (node.service.ports) faults.push(`${node.name} can be reached past the proxy`);
  }
  return [
    ...faults.map((fault) => `${source}: ${fault}`),
    ...(proxied && service ? proxyFaults({ issuer, trustProxy }, service, around) : []),
    ...(store.engine === 'mongodb' ? mongoFaults(store.url, around) : []),
  ];
}

function proxyFaults(
  { issuer, trustProxy }: Pick<Config, 'issuer' | 'trustProxy'>,
  service: ComposeService,
  { file, nodes, path, files, image }: Surroundings,
): string[] {
  const config = service.configs?.find(({ target }) => target === '/etc/caddy/Caddyfile');
  const source = posix.join(posix.dirname(path), file.configs[config?.source ?? '']?.file ?? 'nowhere');
  if (!files.exists(source)) return ['the proxy has no Caddyfile'];
  const text = files.read(source).replaceAll(/^\s*#.*$/gm, '');
  const faults: string[] = [];
  if (trustProxy !== 1) faults.push(`one proxy stands in front, and trustProxy is ${trustProxy}`);
  if (!new RegExp(`^${issuer.replaceAll('.', String.raw`\.`)} \\{$`, 'm').test(text))
    faults.push(`it does not serve ${issuer}`);
  const [, upstreams = ''] = /reverse_proxy (.*) \{/.exec(text) ?? [];
  const expected = nodes.map(({ name }) => `${name}:${image.settings.ports[0]}`).join(' ');
  if (upstreams !== expected) faults.push(`it does not lead to ${expected}`);
  for (const node of nodes) if (!meet(service, node.service)) faults.push(`it shares no network with ${node.name}`);
  if (AFFINITY.test(text)) faults.push('it sends some requests to one node rather than another');
  if (!/health_uri \/readyz$/m.test(text)) faults.push('it does not ask whether a node is ready');
  if (/trusted_proxies|header_up/.test(text)) faults.push('it changes whom X-Forwarded-For is believed from');
  if (!/^\s*tls internal$/m.test(text)) faults.push('it would ask the world for a certificate of a local name');
  return faults.map((fault) => `${source}: ${fault}`);
}

/** The servers of the address are here, are one set, and have the user. */
function mongoFaults(url: string, { file, nodes, files, path }: Surroundings): string[] {
  const [, user = '', hosts = '', database = '', set = ''] =
    /^mongodb:\/\/([^@]+)@([^/]+)\/([^?]+)\?replicaSet=(\w+)$/.exec(url) ?? [];
  const members = hosts.split(',');
  const faults: string[] = [];
  for (const host of members) {
    const member = file.services[host];
    if (member === undefined) {
      faults.push(`the store is looked for at ${host}, which is no service`);
      continue;
    }
    const command = member.command?.join(' ') ?? '';
    if (!command.includes(`--replSet ${set} `)) faults.push(`${host} is not of the replica set ${set}`);
    if (!command.includes('--keyFile ')) faults.push(`${host} asks nobody who they are`);
    if (member.ports || member.networks?.some((name) => !file.networks[name]?.internal)) {
      faults.push(`${host} can be reached from outside`);
    }
    if (!mountsOf(member).some(({ path }) => path === '/data/db')) faults.push(`${host} keeps nothing`);
    for (const node of nodes) if (!meet(member, node.service)) faults.push(`${node.name} cannot reach ${host}`);
  }
  if (
    new Set(members.flatMap((host) => mountsOf(file.services[host] ?? { image: '' }).map(({ volume }) => volume)))
      .size < members.length
  ) {
    faults.push('two members share their data');
  }
  const [source] = Object.values(file.configs).filter((each) => each.file.endsWith('replica-set.js'));
  const script = source ? files.read(posix.join(posix.dirname(path), source.file)) : '';
  const named = [...script.matchAll(/'(\w+):27017'/g)].map(([, host]) => host).join(',');
  if (named !== hosts) faults.push(`replica-set.js makes a set of ${named}, not of ${hosts}`);
  if (!script.includes(`const NAME = '${set}';`)) faults.push(`replica-set.js makes a set of another name than ${set}`);
  if (!script.includes(`getSiblingDB('${database}')`) || !script.includes(`createUser({ user: '${user}'`)) {
    faults.push(`replica-set.js makes no user ${user} in ${database}`);
  }
  const starter = Object.values(file.services).find(({ configs }) =>
    configs?.some(({ source: name }) => name === 'replica-set'),
  );
  for (const [, secret = ''] of script.matchAll(/secret\('([\w-]+)'\)/g)) {
    if (!starter?.secrets?.includes(secret)) faults.push(`replica-set.js is not given the secret ${secret}`);
  }
  if (starter?.network_mode !== `service:${members[0]}`)
    faults.push('replica-set.js does not run beside the first member');
  return faults;
}

/** Whether two services share a network; without any named, both are on the default one. */
const meet = ({ networks: a = ['default'] }: ComposeService, { networks: b = ['default'] }: ComposeService): boolean =>
  a.some((name) => b.includes(name));
