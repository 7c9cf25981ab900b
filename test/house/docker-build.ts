/**
 * The image without a builder: what the Dockerfile copies, in a folder, as its commands leave it.
 *
 * Invariant: nothing comes into the folder that the Dockerfile does not bring there, production packages included; and
 * once frozen nothing in it can be changed by the user it is run as. It refuses to know base images: of theirs there is
 * node, and the shell's own programs.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';

import {
  copied,
  inherited,
  type Instruction,
  parseDockerfile,
  type Settings,
  settingsOf,
} from './docker-dockerfile.ts';
import { DOCKERFILE, type Files, root } from './docker-files.ts';
import { parseIgnore } from './docker-ignore.ts';
import { fromContext } from './docker-image-faults.ts';

/** Whoever the image runs as, where this can be chosen; otherwise whoever runs the test. Neither may write to it. */
const NOBODY = process.getuid?.() === 0 ? { uid: 1000, gid: 1000 } : {};

/** What every build needs and none changes. */
export type Prepared = { readonly folder: string; remove(): void };

export type Built = {
  readonly settings: Settings;
  /** Where a path of the image lies. */
  at(path: string): string;
  /** Starts these words in it, as its user. `env` comes on top of the image's own. */
  start(words: readonly string[], env?: Readonly<Record<string, string>>): ChildProcess;
  /** A folder that the image's user may write to, beside the image. */
  volume(name: string): string;
  /** Every file and folder of it: when it was changed last, its mode, its size. */
  listing(): Record<string, string>;
  remove(): void;
};

/** Node, and the packages that `npm ci --omit=dev --omit=optional` installs. */
export function prepare(files: Files): Prepared {
  const folder = mkdtempSync(join(tmpdir(), 'curfew-image-parts-'));
  chmodSync(folder, 0o755);
  copyFileSync(process.execPath, join(folder, 'node'));
  const { packages } = JSON.parse(files.read('package-lock.json')) as {
    packages: Record<string, { dev?: boolean; optional?: boolean; devOptional?: boolean }>;
  };
  for (const [path, { dev, optional, devOptional }] of Object.entries(packages)) {
    if (!/^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) || dev || optional || devOptional) continue;
    cpSync(join(root, path), join(folder, path), { recursive: true });
  }
  return { folder, remove: () => removeFrozen(folder) };
}

export function buildImage(files: Files, prepared: Prepared): Built {
  const folder = mkdtempSync(join(tmpdir(), 'curfew-image-'));
  chmodSync(folder, 0o755);
  try {
    const site = siteIn(folder);
    return built(site, build(files, prepared, site));
  } catch (fault) {
    removeFrozen(folder);
    throw fault;
  }
}

/** Where an image is built. Every stage at the same place, as in a builder: what is compiled is known by where it lies. */
type Site = {
  readonly folder: string;
  readonly here: string;
  at(path: string): string;
  /** A text with the image's own paths as they are here. */
  moved(text: string): string;
  environment(settings: Settings): Record<string, string>;
};

function siteIn(folder: string): Site {
  const here = join(folder, 'image');
  const at = (path: string): string => join(here, path);
  const moved = (text: string): string =>
    text.replaceAll(/(?<![\w.$}])\/(?=(app|data|secrets|usr\/local|etc\/curfew)\b)/g, `${here}/`);
  return {
    folder,
    here,
    at,
    moved,
    environment: ({ env }) => ({
      PATH: `${at('/usr/local/bin')}:/usr/bin:/bin`,
      HOME: '/nonexistent',
      ...Object.fromEntries(Object.entries(env).map(([name, value]) => [name, moved(value)])),
    }),
  };
}

function build(files: Files, prepared: Prepared, site: Site): Settings {
  const { folder, here, at } = site;
  const dockerfile = parseDockerfile(files.read(DOCKERFILE));
  let settings = settingsOf([]);
  for (const [nth, stage] of dockerfile.stages.entries()) {
    const parent = dockerfile.stages.find(({ name }) => name !== '' && name === stage.from);
    if (parent) {
      const neededLater = dockerfile.stages.slice(nth + 1).some(({ from, own }) => {
        return from === parent.name || own.some(({ flags }) => flags['from'] === parent.name);
      });
      (neededLater ? link : renameSync)(join(folder, parent.name), here);
    } else {
      mkdirSync(at('/usr/local/bin'), { recursive: true });
      link(join(prepared.folder, 'node'), at('/usr/local/bin/node'));
    }
    const all = inherited(dockerfile, stage);
    stage.own.forEach((instruction, step) => {
      const before = all.slice(0, all.length - stage.own.length + step);
      perform(instruction, { before, files, prepared, site });
    });
    settings = settingsOf(all);
    if (stage !== dockerfile.stages.at(-1)) renameSync(here, join(folder, stage.name));
  }
  shell(`chmod -R a-w ${here}`);
  return settings;
}

type Around = {
  readonly before: readonly Instruction[];
  readonly files: Files;
  readonly prepared: Prepared;
  readonly site: Site;
};

function perform(instruction: Instruction, around: Around): void {
  const { at } = around.site;
  if (instruction.word === 'WORKDIR') mkdirSync(at(instruction.words[0] ?? ''), { recursive: true });
  if (instruction.word === 'RUN') run(instruction.text, around);
  if (instruction.word === 'COPY') copy(instruction, around);
}

function copy(instruction: Instruction, { before, files, site: { folder, at } }: Around): void {
  const { from: stage } = instruction.flags;
  if (stage === undefined) {
    const ignore = parseIgnore(files.read('.dockerignore'));
    const places = before.filter(({ word }) => word === 'WORKDIR');
    for (const { from, to } of fromContext([...places, instruction], files, ignore)) {
      mkdirSync(dirname(at(to)), { recursive: true });
      copyFileSync(join(root, from), at(to));
      const text = files.changed.get(from);
      if (text !== undefined) writeFileSync(at(to), text);
    }
    return;
  }
  const { sources, target } = copied(instruction, settingsOf(before).workdir);
  mkdirSync(at(target), { recursive: true });
  for (const source of sources) link(`${join(folder, stage, source)}/.`, at(target));
  // Whoever made it: in the image it is root's.
  if (NOBODY.uid !== undefined) shell(`chown -R 0:0 ${at(target)}`);
}

function run(text: string, { before, prepared, site }: Around): void {
  const settings = settingsOf(before);
  if (text.startsWith('npm ci ')) {
    for (const flag of ['--omit=dev', '--omit=optional', '--ignore-scripts']) {
      if (!text.includes(flag)) throw new Error(`npm ci without ${flag} is not what is prepared`);
    }
    link(join(prepared.folder, 'node_modules'), site.at(join(settings.workdir, 'node_modules')));
    return;
  }
  // Owners are given by the number that the image's user has here.
  const owner = NOBODY.uid === undefined ? '' : ` -o ${NOBODY.uid} -g ${NOBODY.gid}`;
  shell(site.moved(text.replace(' -o node -g node', owner)), {
    cwd: site.at(settings.workdir),
    env: site.environment(settings),
    ...(settings.user === 'root' ? {} : NOBODY),
  });
}

function built({ folder, here, at, environment }: Site, settings: Settings): Built {
  return {
    settings,
    at,
    start: (words, env = {}) =>
      spawn(words[0] ?? '', words.slice(1), {
        cwd: at(settings.workdir),
        env: { ...environment(settings), ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
        ...NOBODY,
      }),
    volume(name) {
      const path = join(folder, 'volumes', name);
      mkdirSync(path, { recursive: true, mode: 0o755 });
      if (NOBODY.uid !== undefined) chownSync(path, NOBODY.uid, NOBODY.gid);
      return path;
    },
    listing: () => listed(here),
    remove: () => removeFrozen(folder),
  };
}

/** Links instead of copies: stages share what neither changes. */
function link(from: string, to: string): void {
  shell(`cp -al ${from} ${to}`);
}

function shell(command: string, options: Parameters<typeof spawnSync>[2] = {}): void {
  const { status, stderr } = spawnSync('/bin/sh', ['-c', command], { ...options, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} failed: ${stderr}`);
}

function listed(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).map(({ parentPath, name }) => {
    const path = posix.join(parentPath, name);
    const { mode, size, mtimeMs, ctimeMs, ino } = lstatSync(path);
    return [path.slice(folder.length), [mode.toString(8), size, mtimeMs, ctimeMs, ino].join(' ')];
  });
  return Object.fromEntries(entries);
}

function removeFrozen(folder: string): void {
  shell(`chmod -R u+w ${folder}`);
  rmSync(folder, { recursive: true, force: true });
}
