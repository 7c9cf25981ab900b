/** The parent's side of victim.ts: one that runs, and one that is loaded already and waits for its turn. */
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { tmpdir } from 'node:os';

import type { Answers, Gate, Order, Orders, Word } from './victim.ts';

/** Of util-linux: bounds a running process. */
const PRLIMIT = 'prlimit';

export type Victim = {
  ask<Kind extends keyof Orders>(kind: Kind, order: Orders[Kind]): Promise<Answers[Kind]>;
  /** Resolves when it waits at the gate. */
  reached(gate: Gate): Promise<void>;
  kill(): void;
  /** No file of a boundable victim may grow past this. */
  boundFiles(bytes: number | 'unlimited'): void;
  /** Resolves to the signal it died of, or the code it ended with. */
  readonly ended: Promise<string>;
  /** What it wrote to stderr: errors alone. */
  complaints(): string;
};

/**
 * Loads a victim's modules. It opens nothing until it is asked to start. `boundable`: its files can be kept from growing,
 * and then it sees writes fail, as on a full disk, and not the signal that would end it.
 */
export function loadVictim({ boundable = false } = {}): Victim {
  const script = new URL('./victim.ts', import.meta.url).pathname;
  const shell = { execPath: '/bin/sh', execArgv: ['-c', `trap '' XFSZ; exec "$0" "$@"`, process.execPath] };
  const child = fork(script, [], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'curfew-faults-compile-cache') },
    ...(boundable ? shell : {}),
  });
  return victimOf(child);
}

function victimOf(child: ChildProcess): Victim {
  let nth = 0;
  let complaints = '';
  let over = false;
  const waiting = new Map<number, { resolve: (answer: never) => void; reject: (fault: Error) => void }>();
  const reached = new Map<Gate, PromiseWithResolvers<void>>();
  const gateOf = (gate: Gate): PromiseWithResolvers<void> => {
    const one = reached.get(gate) ?? Promise.withResolvers<void>();
    reached.set(gate, one);
    return one;
  };
  const gone = (): Error => new Error(`the victim is gone. ${complaints}`);
  child.stderr?.on('data', (chunk) => (complaints += String(chunk)));
  child.on('message', (word: Word) => {
    if ('reached' in word) return gateOf(word.reached).resolve();
    const asked = waiting.get(word.id);
    waiting.delete(word.id);
    if (word.fault === undefined) asked?.resolve(word.answer as never);
    else asked?.reject(new Error(word.fault));
  });
  const ended = once(child, 'exit').then(([code, signal]) => {
    over = true;
    for (const { reject } of waiting.values()) reject(gone());
    return String(signal ?? code);
  });
  return {
    ask: (kind, order) =>
      new Promise((resolve, reject) => {
        if (over) return reject(gone());
        const id = nth++;
        waiting.set(id, { resolve, reject });
        // A message to a process that has just died fails; its end says so to everyone who waits.
        child.send({ id, kind, ...order } as Order, () => {});
      }),
    reached: (gate) => gateOf(gate).promise,
    kill: () => void child.kill('SIGKILL'),
    boundFiles: (bytes) => void execFileSync(PRLIMIT, ['--pid', String(child.pid), `--fsize=${bytes}:`]),
    ended,
    complaints: () => complaints,
  };
}
