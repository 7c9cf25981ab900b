/** The parent's side of child.ts. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

import type { Usage } from '../measure.ts';
import type { Answer, Answered, Asked, Order, Tasks } from './child.ts';

export type Child = {
  ask<Kind extends keyof Tasks>(kind: Kind, order?: Order<Kind>): Promise<Answer<Kind>>;
  usage(): Promise<Usage>;
  /** Resolves when the process is gone. */
  end(): Promise<void>;
};

export type ChildOptions = {
  readonly env?: Readonly<Record<string, string>>;
  /** Where a profile of its processor time is written when it ends, under this name. */
  readonly profile?: { readonly folder: string; readonly name: string } | undefined;
};

const END_WITHIN_MS = 10_000;

export function startChild({ env = {}, profile }: ChildOptions = {}): Child {
  const child = fork(new URL('./child.ts', import.meta.url), [], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, ...env },
    execArgv:
      profile === undefined
        ? []
        : ['--cpu-prof', `--cpu-prof-dir=${profile.folder}`, `--cpu-prof-name=${profile.name}.cpuprofile`],
  });
  return childOf(child);
}

function childOf(child: ChildProcess): Child {
  let nth = 0;
  const waiting = new Map<number, { resolve: (answer: never) => void; reject: (fault: Error) => void }>();
  child.on('message', ({ id, answer, fault }: Answered) => {
    const asked = waiting.get(id);
    waiting.delete(id);
    if (fault === undefined) asked?.resolve(answer as never);
    else asked?.reject(new Error(fault));
  });
  const gone = once(child, 'exit').then(([code, signal]) => {
    for (const { reject } of waiting.values()) reject(new Error(`a measured process ended early: ${signal ?? code}`));
  });
  const ask: Child['ask'] = (kind, order) =>
    new Promise((resolve, reject) => {
      const id = nth++;
      waiting.set(id, { resolve, reject });
      child.send({ id, kind, order } satisfies Asked, (fault) => {
        if (fault !== null) reject(fault);
      });
    });
  return {
    ask,
    usage: () => ask('usage'),
    async end() {
      if (child.connected) child.disconnect();
      const late = setTimeout(() => child.kill('SIGKILL'), END_WITHIN_MS);
      await gone;
      clearTimeout(late);
    },
  };
}
