/**
 * Everything that is wrong with a compose file by itself: names that nothing stands for, files that are not there, doors
 * left open.
 *
 * It refuses to know Curfew (docker-house-faults.ts): what is said here holds for every service.
 */
import { posix } from 'node:path';

import { type ComposeFile, type ComposeService, mountsOf, portsOf, readCompose } from './docker-compose-file.ts';
import { type Files, MADE_BY_THE_READER } from './docker-files.ts';
import { type Image, PINNED } from './docker-image-faults.ts';

export function composeFaults(path: string, files: Files, image: Image): string[] {
  const { file, faults } = readCompose(files.read(path));
  const all = file
    ? [
        ...faults,
        ...declarationFaults(file),
        ...fileFaults(path, file, files),
        ...orderFaults(file),
        ...Object.entries(file.services).flatMap(([name, service]) =>
          serviceFaults(service, file, image).map((fault) => `services.${name}: ${fault}`),
        ),
      ]
    : faults;
  return all.map((fault) => `${path}: ${fault}`);
}

/** Whether a service is a container of our own image. */
export const isOurs = ({ image }: ComposeService): boolean => image.startsWith('curfew:');

function declarationFaults(file: ComposeFile): string[] {
  const services = Object.values(file.services);
  const named: Record<'configs' | 'secrets' | 'networks' | 'volumes', string[]> = {
    configs: services.flatMap(({ configs = [] }) => configs.map(({ source }) => source)),
    secrets: services.flatMap(({ secrets = [] }) => secrets),
    networks: services.flatMap(({ networks = [] }) => networks),
    volumes: services.flatMap((service) => mountsOf(service).map(({ volume }) => volume)),
  };
  return (['configs', 'secrets', 'networks', 'volumes'] as const).flatMap((kind) => {
    const declared = Object.keys(file[kind]);
    const missing = [...new Set(named[kind])].filter((name) => !declared.includes(name));
    const idle = declared.filter((name) => !named[kind].includes(name));
    return [
      ...missing.map((name) => `${kind}.${name} is named and not declared`),
      ...idle.map((name) => `${kind}.${name} is declared and not used`),
    ];
  });
}

function fileFaults(path: string, file: ComposeFile, files: Files): string[] {
  const folder = posix.dirname(path);
  const within = (relative: string): string => posix.join(folder, relative);
  const named = [...Object.values(file.configs), ...Object.values(file.secrets)].map((each) => within(each.file));
  const missing = named.filter((each) => !files.exists(each) && !MADE_BY_THE_READER.includes(each));
  const built = Object.values(file.services).flatMap(({ build }) => {
    if (build === undefined) return [];
    // The Dockerfile is looked for from the context, not from here.
    const dockerfile = posix.join(within(build.context), build.dockerfile);
    if (within(build.context) !== '.') return [`the build context ${build.context} is not the repository`];
    return files.exists(dockerfile) ? [] : [`there is no ${dockerfile}`];
  });
  return [...missing.map((each) => `there is no ${each}`), ...built];
}

function orderFaults({ services }: ComposeFile): string[] {
  const waitsFor = (name: string): string[] => {
    const { depends_on: awaited = {}, network_mode: mode } = services[name] ?? {};
    return [...Object.keys(awaited), ...(mode === undefined ? [] : [mode.slice('service:'.length)])];
  };
  const reaches = (from: string, to: string, seen = new Set<string>()): boolean =>
    waitsFor(from).some((next) => next === to || (!seen.has(next) && reaches(next, to, seen.add(next))));
  return Object.keys(services).flatMap((name) => [
    ...waitsFor(name)
      .filter((each) => !(each in services))
      .map((each) => `services.${name} waits for ${each}, which is no service`),
    ...(reaches(name, name) ? [`services.${name} waits for itself`] : []),
    ...Object.entries(services[name]?.depends_on ?? {}).flatMap(([other, { condition }]) => {
      const awaited = services[other];
      if (awaited === undefined) return [];
      if (condition === 'service_healthy' && !isOurs(awaited) && awaited.healthcheck === undefined) {
        return [`services.${name} waits for the health of ${other}, which has no check`];
      }
      return condition === 'service_completed_successfully' && awaited.restart !== 'no'
        ? [`services.${name} waits for the end of ${other}, which is restarted`]
        : [];
    }),
  ]);
}

function serviceFaults(service: ComposeService, file: ComposeFile, image: Image): string[] {
  const faults: string[] = [];
  if (!PINNED.test(service.image)) faults.push(`${service.image} is not an exact version`);
  if (service.restart === undefined) faults.push('nothing says whether it is restarted');
  if (service.read_only !== true) faults.push('its root can be written');
  if (!service.cap_drop?.includes('ALL')) faults.push('it keeps capabilities');
  if (service.cap_add?.some((each) => each !== 'NET_BIND_SERVICE')) faults.push('it is given capabilities');
  if (!service.security_opt?.includes('no-new-privileges:true')) faults.push('it may gain privileges');
  if (!service.tmpfs?.includes('/tmp')) faults.push('it has no /tmp to write to');
  if (/^(root|0)(:|$)/.test(service.user ?? '')) faults.push('it is made to run as root');
  if (service.network_mode !== undefined && service.networks) faults.push('it has networks beside network_mode');
  for (const { address, outside } of portsOf(service)) {
    if (address !== '127.0.0.1') faults.push(`port ${outside} is open to other machines`);
    if (service.networks?.every((name) => file.networks[name]?.internal)) {
      faults.push(`port ${outside} is published from a network that nothing enters`);
    }
  }
  const values = Object.entries(service.environment ?? {}).filter(([name]) => /PASSWORD|SECRET|KEY|TOKEN/.test(name));
  for (const [name] of values) faults.push(`${name} puts a secret into the environment`);
  return [...faults, ...wordFaults(service, image)];
}

/** Paths that a command or a health check names are there when it runs. */
function wordFaults(service: ComposeService, image: Image): string[] {
  const { command = [], healthcheck, configs = [], secrets = [], tmpfs = [] } = service;
  const files = new Set([...configs.map(({ target }) => target), ...secrets.map((name) => `/run/secrets/${name}`)]);
  const folders = [...tmpfs, ...mountsOf(service).map(({ path }) => path)];
  const faults: string[] = [];
  if (isOurs(service) && command.length > 0) {
    const [program = '', first = ''] = command;
    const script = posix.resolve(image.settings.workdir, first);
    const known = program === 'node' ? image.files.has(script) : image.programs.has(program);
    if (!known) faults.push(`the image holds no ${command.slice(0, 2).join(' ')}`);
  }
  for (const [word] of [...command, ...(healthcheck?.test ?? [])].join(' ').matchAll(/(?<=^|[\s=])\/[^\s;&|'"]+/g)) {
    const within = folders.some((folder) => word.startsWith(`${folder}/`));
    if (!files.has(word) && !within) faults.push(`${word} is not mounted`);
  }
  return faults;
}
