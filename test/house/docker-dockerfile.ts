/**
 * A Dockerfile, read as its builder reads it.
 *
 * Purpose: stages, their instructions, and what an image made of them is started with. Invariant: what is not understood is
 * a fault, never passed over. It refuses to know what the image is for (docker-image-faults.ts) and builds nothing
 * (docker-build.ts).
 */
import { posix } from 'node:path';

export type Instruction = {
  readonly word: string;
  readonly flags: Readonly<Record<string, string>>;
  /** The words of the JSON form, or of the text split at blanks. */
  readonly words: readonly string[];
  readonly json: boolean;
  readonly text: string;
  readonly line: number;
};
export type Stage = { readonly name: string; readonly from: string; readonly own: Instruction[] };
export type Dockerfile = { readonly stages: readonly Stage[]; readonly faults: readonly string[] };

/** What a container is started with, unless it is told otherwise. */
export type Settings = {
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string;
  readonly user: string;
  readonly ports: readonly number[];
  readonly volumes: readonly string[];
  readonly healthcheck: readonly string[];
  readonly entrypoint: readonly string[] | null;
  readonly cmd: readonly string[];
};

// ADD fetches and unpacks, ARG makes one file into many images: neither is needed.
const UNDERSTOOD = /^(FROM|RUN|COPY|ENV|WORKDIR|USER|EXPOSE|VOLUME|HEALTHCHECK|ENTRYPOINT|CMD)$/;
const JSON_ONLY = /^(VOLUME|HEALTHCHECK|ENTRYPOINT|CMD)$/;

export function parseDockerfile(text: string): Dockerfile {
  const stages: Stage[] = [];
  const faults: string[] = [];
  for (const { content, line } of logicalLines(text)) {
    const instruction = parseInstruction(content, line);
    if (typeof instruction === 'string') {
      faults.push(`line ${line}: ${instruction}`);
    } else if (instruction.word === 'FROM') {
      const [from = '', as, name = ''] = instruction.words;
      if (as !== undefined && (as !== 'AS' || name === '')) faults.push(`line ${line}: FROM is not IMAGE AS NAME`);
      stages.push({ name, from, own: [] });
    } else {
      const stage = stages.at(-1);
      if (stage) stage.own.push(instruction);
      else faults.push(`line ${line}: ${instruction.word} stands before any FROM`);
    }
  }
  return { stages, faults };
}

function logicalLines(text: string): { content: string; line: number }[] {
  const lines: { content: string; line: number }[] = [];
  let open: { content: string; line: number } | undefined;
  text.split('\n').forEach((raw, at) => {
    if (raw.trim() === '' || raw.trimStart().startsWith('#')) return;
    const goesOn = raw.endsWith('\\');
    const part = goesOn ? raw.slice(0, -1) : raw;
    open = open ? { ...open, content: open.content + part } : { content: part, line: at + 1 };
    if (goesOn) return;
    lines.push(open);
    open = undefined;
  });
  if (open) lines.push(open);
  return lines;
}

function parseInstruction(content: string, line: number): Instruction | string {
  const [, word = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(content.trim()) ?? [];
  if (!UNDERSTOOD.test(word)) return `${word} is not an instruction that this check understands`;
  const flags: Record<string, string> = {};
  let text = rest;
  for (let flag; (flag = /^--([a-z-]+)=(\S+)\s+/.exec(text)); text = text.slice(flag[0].length)) {
    flags[String(flag[1])] = String(flag[2]);
  }
  if (word === 'HEALTHCHECK') {
    if (!text.startsWith('CMD ')) return 'HEALTHCHECK without CMD';
    text = text.slice('CMD '.length);
  }
  const json = text.startsWith('[');
  if (!json) {
    if (JSON_ONLY.test(word))
      return `${word} is run by a shell, which slim images and signals do not get on with: write ["…"]`;
    return { word, flags, words: text.split(/\s+/), json, text, line };
  }
  try {
    return { word, flags, words: JSON.parse(text) as string[], json, text, line };
  } catch {
    return `${word} is not a JSON list`;
  }
}

/** A stage's instructions after those of the stages that it begins as. */
export function inherited({ stages }: Pick<Dockerfile, 'stages'>, stage: Stage): Instruction[] {
  const parent = stages.slice(0, stages.indexOf(stage)).find(({ name }) => name !== '' && name === stage.from);
  return [...(parent ? inherited({ stages }, parent) : []), ...stage.own];
}

export function settingsOf(instructions: readonly Instruction[]): Settings {
  const last = (word: string): Instruction | undefined => instructions.findLast((each) => each.word === word);
  const all = (word: string): string[] =>
    instructions.filter((each) => each.word === word).flatMap(({ words }) => words);
  return {
    env: Object.fromEntries(all('ENV').map((pair) => [pair.split('=')[0], pair.slice(pair.indexOf('=') + 1)])),
    workdir: last('WORKDIR')?.words[0] ?? '/',
    user: last('USER')?.words[0] ?? 'root',
    ports: all('EXPOSE').map(Number),
    volumes: all('VOLUME'),
    healthcheck: last('HEALTHCHECK')?.words ?? [],
    entrypoint: last('ENTRYPOINT')?.words ?? null,
    cmd: last('CMD')?.words ?? [],
  };
}

/** COPY's words as what is copied and where it goes; a source that is a folder means what is in it. */
export function copied(
  { words }: Instruction,
  workdir: string,
): { readonly sources: string[]; readonly target: string } {
  const target = words.at(-1) ?? '';
  const absolute = posix.resolve(workdir, target);
  return { sources: words.slice(0, -1), target: target.endsWith('/') ? `${absolute.replace(/\/$/, '')}/` : absolute };
}
