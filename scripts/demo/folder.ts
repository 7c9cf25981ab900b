/**
 * The demo's folder: what it keeps between starts (accounts, secrets, the media server's identity), and what it writes anew
 * (configuration, logs). It is not part of the repository, and nobody else on the machine may read its secrets.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const template = fileURLToPath(new URL('../../config/demo.yaml', import.meta.url));
/** Curfew is itself a client: of the company. */
const CLIENTS_WITH_SECRETS = ['lumen', 'marquee', 'media-server', 'company'];
const CONTENTS = ['data', 'mail', 'secrets', 'media-server', 'logs', 'curfew.yaml', 'account.json', 'running.json'];

// Short, plain, and far from each other on the ear: a password to be typed by hand into a demo on this machine.
const WORDS =
  'acorn amber anchor apple autumn badger bamboo barley basil beacon birch blanket bottle bramble bridge bucket butter ' +
  'button cactus candle canyon carpet cedar cellar cherry cinnamon clover cobalt comet copper coral cotton crater cricket ' +
  'crystal daisy dapple desert dolphin dragon drizzle ember falcon feather fern fiddle flint forest fossil fountain garlic ' +
  'ginger glacier granite gravel guitar hammer hamlet harbour hazel heron hollow honey igloo indigo island ivory jasmine ' +
  'jigsaw juniper kettle ladder lagoon lantern lemon lilac linen lobster magnet mango maple marble meadow mellow mitten ' +
  'mosaic muffin mustard nectar nutmeg oatmeal olive orchard otter oyster paddle panda paper parsley pebble pepper pigeon ' +
  'pillow pocket poppy prairie puddle pumpkin quartz quilt rabbit raven ribbon river rocket saddle saffron salmon sandal ' +
  'shadow sparrow spindle summit sunset tangle teapot thicket thimble timber tulip tunnel turnip velvet violet walnut willow';
const WORDS_IN_PASSWORD = 5;

export type Service = 'curfew' | 'lumen' | 'marquee' | 'tv' | 'media-server' | 'company' | 'inbox';

/** Where each service is in config/demo.yaml, which is where it is unless that port is taken. */
export const DEFAULT_PORTS: Readonly<Record<Service, number>> = {
  curfew: 3000,
  lumen: 3001,
  marquee: 3002,
  tv: 3003,
  'media-server': 3004,
  company: 3005,
  inbox: 3006,
};

export type Folder = ReturnType<typeof openFolder>;

export function openFolder(path: string) {
  const at = (...names: string[]): string => join(path, ...names);
  const secret = (name: string): string => at('secrets', name);

  return {
    path,
    configFile: at('curfew.yaml'),
    logs: at('logs'),
    mediaServer: at('media-server'),
    mail: at('mail'),
    passwordFile: secret('password'),
    companyPasswordFile: secret('company-password'),
    secretFile: secret,

    /** Removes what earlier starts left here, and nothing that the demo did not make. */
    wipe(): void {
      for (const name of CONTENTS) rmSync(at(name), { recursive: true, force: true });
    },

    /** Makes what is missing. */
    prepare(): void {
      for (const folder of [path, at('data'), at('secrets'), at('media-server')]) {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
      }
      rmSync(at('logs'), { recursive: true, force: true });
      mkdirSync(at('logs'), { mode: 0o700 });
      for (const client of CLIENTS_WITH_SECRETS) keep(secret(client), () => randomBytes(32).toString('base64url'));
      keep(secret('password'), inventPassword);
      keep(secret('company-password'), inventPassword);
    },

    /** Writes the configuration: the template, with these ports, and paths within this folder. */
    writeConfiguration(ports: Readonly<Record<Service, number>>): void {
      const byDefault = new Map(
        Object.entries(DEFAULT_PORTS).map(([service, port]) => [String(port), String(ports[service as Service])]),
      );
      const text = readFileSync(template, 'utf8')
        .replaceAll('../.demo/', './')
        .replaceAll(/(?<=localhost:|port: )\d+\b/g, (port) => byDefault.get(port) ?? port);
      writeFileSync(at('curfew.yaml'), text, { mode: 0o600 });
    },

    password: (): string => readFileSync(secret('password'), 'utf8').trim(),
    companyPassword: (): string => readFileSync(secret('company-password'), 'utf8').trim(),

    hasAccount: (): boolean => existsSync(at('account.json')),
    accountMade(username: string): void {
      writeFileSync(at('account.json'), `${JSON.stringify({ username })}\n`, { mode: 0o600 });
    },

    /** Which processes serve this folder, and where; for whoever starts a second demo here. */
    noteRunning(running: Running): void {
      writeFileSync(at('running.json'), `${JSON.stringify(running, undefined, 2)}\n`, { mode: 0o600 });
    },
    forgetRunning: (): void => rmSync(at('running.json'), { force: true }),
    running(): Running | undefined {
      try {
        return JSON.parse(readFileSync(at('running.json'), 'utf8')) as Running;
      } catch {
        // None, or half of one: either way nobody is known to run here.
        return undefined;
      }
    },
  };
}

export type Running = {
  readonly pid: number;
  readonly services: Readonly<Record<Service, { readonly pid: number; readonly url: string }>>;
};

function keep(file: string, invent: () => string): void {
  if (!existsSync(file)) writeFileSync(file, `${invent()}\n`, { mode: 0o600, flag: 'wx' });
}

function inventPassword(): string {
  const words = WORDS.split(' ');
  return Array.from({ length: WORDS_IN_PASSWORD }, () => words[randomInt(words.length)]).join('-');
}
