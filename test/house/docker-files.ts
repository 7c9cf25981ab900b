/** What the checks of the container files read: this repository, or this repository with one fault planted in it. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Paths are relative to the top of the repository, with `/`. */
export type Files = {
  read(path: string): string;
  exists(path: string): boolean;
  /** The file itself, or every file below a folder. */
  below(path: string): string[];
  /** Texts that differ from those on the disk. */
  readonly changed: ReadonlyMap<string, string>;
};

export const root = fileURLToPath(new URL('../..', import.meta.url));

export const DOCKERFILE = 'docker/Dockerfile';
export const COMPOSE_FILES = ['docker/compose.yaml', 'docker/compose.mongo.yaml'] as const;

/** Files that a compose file names and that whoever runs it makes; nothing else may be missing. */
export const MADE_BY_THE_READER: readonly string[] = [
  'docker/secrets/mongo-keyfile',
  'docker/secrets/mongo-admin-password',
  'docker/secrets/mongo-curfew-password',
];

export const shipped: Files = {
  changed: new Map(),
  read: (path) => readFileSync(join(root, path), 'utf8'),
  exists: (path) => existsSync(join(root, path)),
  below(path) {
    if (!statSync(join(root, path)).isDirectory()) return [path];
    return readdirSync(join(root, path), { withFileTypes: true }).flatMap(({ name }) => this.below(`${path}/${name}`));
  },
};

/** The repository with one text changed in one file. Throws if there is nothing to change, so that no fault stays unplanted. */
export function planted(path: string, from: string | RegExp, to: string): Files {
  const text = shipped.read(path);
  const changed = text.replace(from, to);
  if (changed === text) throw new Error(`${path} does not hold ${String(from)}`);
  return {
    ...shipped,
    read: (asked) => (asked === path ? changed : shipped.read(asked)),
    changed: new Map([[path, changed]]),
  };
}
