/** The operator's command as an operator runs it: a process of its own, over the files of a world. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

import { run } from '../../scripts/commands/program.ts';
import { createInterrupts } from '../../scripts/terminal/outcome.ts';
import type { Store } from '../../src/store/port.ts';
import { type Rows, unattended } from '../support/store-under-test.ts';
import { type World, world, type WorldOptions } from '../support/world.ts';

const COMMAND = new URL('../../scripts/curfew.ts', import.meta.url).pathname;
/** The cheapest that a configuration file may ask for. */
const PASSWORD_HASHING = { memoryKiB: 19_456, iterations: 2, parallelism: 1 };

export type Ended = {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout as one JSON document: throws if there is anything else on it. */
  json(): unknown;
};

export type Running = {
  readonly process: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;
  /** Resolves once this was said on stderr. */
  saying(text: string): Promise<void>;
};

/** Starts `curfew` with these words; it does not outlive the test. */
export function start(args: readonly string[], { input = '', cwd = process.cwd() } = {}): Running {
  const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: undefined, CURFEW_CONFIG: undefined };
  const child = spawn(process.execPath, [COMMAND, ...args], { env, cwd });
  const said = { stdout: '', stderr: '' };
  const listeners = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (said.stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    said.stderr += chunk;
    for (const listener of listeners) listener();
  });
  child.stdin.end(input);
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (code) => resolve({ code, ...said, json: () => JSON.parse(said.stdout) as unknown }));
  });
  const saying = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => void (said.stderr.includes(text) && resolve());
      listeners.add(look);
      look();
      void ended.then(() => reject(new Error(`ended without saying "${text}": ${said.stderr}`)));
    });
  return { process: child, ended, saying };
}

/** Runs `curfew` to its end. */
export function curfew(args: readonly string[], options: Parameters<typeof start>[1] = {}): Promise<Ended> {
  return start(args, options).ended;
}

export type CommandWorld = World & {
  readonly configFile: string;
  /** `curfew … --config` of this world. */
  run(...args: string[]): Promise<Ended>;
  /** The same inside this process: no terminal, no half-second to start. */
  here(...args: string[]): Promise<Ended>;
  /** As `here`, with this on stdin. */
  given(input: string | Buffer, ...args: string[]): Promise<Ended>;
  /** As `run`, without waiting for its end. */
  begin(...args: string[]): Running;
  /** A file in the world's folder. */
  file(name: string, content: string): string;
  /** Everything the store holds, row by row, but for what a running server does by itself. */
  rows(): Promise<Rows>;
  /** Asks the store, as one more process would. */
  stored<Answer>(ask: (store: Store) => Promise<Answer>): Promise<Answer>;
  stopServer(): Promise<void>;
};

/** A world whose configuration file commands can use too; its server runs until `stopServer` or the test's end. */
export async function commandWorld(options: WorldOptions = {}): Promise<CommandWorld> {
  const configuration = { passwordHashing: PASSWORD_HASHING, ...options.configuration };
  const made = await world({ ...options, configuration, lasts: true });
  const configFile = join(made.folder, 'curfew.yaml');
  let running = true;
  const stopServer = async (): Promise<void> => {
    if (running) await made.server.stop();
    running = false;
  };
  onTestFinished(async () => {
    await stopServer();
    await made.ears.close();
    await made.database.dispose();
    rmSync(made.folder, { recursive: true, force: true });
  });
  const begin = (...args: string[]): Running => start([...args, '--config', configFile]);
  // Getters of the world are kept as getters.
  return Object.defineProperties(made, {
    configFile: { value: configFile, enumerable: true },
    begin: { value: begin, enumerable: true },
    run: { value: (...args: string[]) => begin(...args).ended, enumerable: true },
    here: { value: (...args: string[]) => here([...args, '--config', configFile]), enumerable: true },
    given: {
      value: (input: string | Buffer, ...args: string[]) => here([...args, '--config', configFile], input),
      enumerable: true,
    },
    stopServer: { value: stopServer, enumerable: true },
    rows: { value: async () => unattended(await made.database.rows()), enumerable: true },
    stored: {
      enumerable: true,
      value: async <Answer>(ask: (store: Store) => Promise<Answer>): Promise<Answer> => {
        const store = await made.database.open();
        try {
          return await ask(store);
        } finally {
          await store.close();
        }
      },
    },
    file: {
      enumerable: true,
      value: (name: string, content: string) => {
        const path = join(made.folder, name);
        writeFileSync(path, content);
        return path;
      },
    },
  }) as CommandWorld;
}

/** Runs a command inside this process, where nobody sits at a terminal. */
export async function here(args: readonly string[], input: string | Buffer = ''): Promise<Ended> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  stdin.end(input);
  const said = Promise.all([text(stdout), text(stderr)]);
  const interrupts = createInterrupts(
    () => undefined,
    () => undefined,
  );
  const code = await run(args, { stdin, stdout, stderr, env: {} }, interrupts);
  stdout.end();
  stderr.end();
  const [out, err] = await said;
  return { code, stdout: out, stderr: err, json: () => JSON.parse(out) as unknown };
}

/** A terminal with somebody at it, inside this process. */
export function atTerminal(args: readonly string[], { columns = 80, env = {} as Record<string, string> } = {}) {
  let raw = false;
  const setRawMode = (on: boolean): void => void (raw = on);
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode });
  const screen = { stdout: '', stderr: '' };
  const shown = new Set<() => void>();
  const output = (name: 'stdout' | 'stderr') => {
    const stream = Object.assign(new PassThrough(), { isTTY: true, columns });
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      screen[name] += chunk;
      for (const listener of shown) listener();
    });
    return stream;
  };
  let press = (): void => undefined;
  const left: number[] = [];
  const interrupts = createInterrupts(
    (pressed) => (press = pressed),
    (exitCode) => void left.push(exitCode),
  );
  const ended = run(args, { stdin, stdout: output('stdout'), stderr: output('stderr'), env }, interrupts);
  return {
    screen,
    ended,
    left,
    /** What is typed is not shown by the terminal itself. */
    isSilent: () => raw,
    type: (text: string) => void stdin.write(text),
    pressControlC: () => press(),
    seeing: (text: string): Promise<void> =>
      new Promise((resolve) => {
        const look = (): void => void (`${screen.stdout}${screen.stderr}`.includes(text) && resolve());
        shown.add(look);
        look();
      }),
  };
}
