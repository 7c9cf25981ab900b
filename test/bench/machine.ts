/** What a run ran on: figures of two machines are never compared. */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, tmpdir, totalmem, type } from 'node:os';

export type Machine = {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly filesystem: string;
  readonly system: string;
  readonly node: string;
  /** Runnable tasks of the minute before: others were at work too when it is not near 0. */
  readonly load: string;
};

export function describeMachine(): Machine {
  return {
    processor: cpus()[0]?.model ?? 'unknown processor',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    filesystem: filesystemOf(tmpdir()),
    system: `${type()} ${release()}`,
    node: process.versions.node,
    load: (loadavg()[0] ?? 0).toFixed(1),
  };
}

/** The kind of file system under a folder: on one in memory nothing is durable, and durable writes look cheap. */
function filesystemOf(folder: string): string {
  try {
    const mounts = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' '))
      .filter(([, point = '']) => point === '/' || folder === point || folder.startsWith(`${point}/`))
      .toSorted(([, a = ''], [, b = '']) => b.length - a.length);
    return mounts[0]?.[2] ?? 'unknown file system';
  } catch {
    return 'unknown file system';
  }
}
