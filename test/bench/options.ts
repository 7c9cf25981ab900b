/** What is asked for on the command line. */
import { parseArgs } from 'node:util';

import type { Pace } from './measure.ts';

export type Options = {
  readonly names: readonly string[];
  readonly quick: boolean;
  readonly json: boolean;
  readonly profile: string | undefined;
};

export const USAGE = `npm run bench [-- NAME…] [--quick] [--json] [--profile FOLDER]

  NAME…             only these (without names: everything)
  --quick           shorter slices and smaller stores: figures are rougher
  --json            one JSON document on stdout
  --profile FOLDER  a .cpuprofile of each measured process

`;

/** Throws with a message for people. */
export function readOptions(args: readonly string[]): Options & { readonly help: boolean } {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
      profile: { type: 'string' },
    },
  });
  const { quick, json, help, profile } = values;
  return { names: positionals, quick, json, help, profile };
}

/** How long slices are, `scale` times the usual. */
export function paceOf({ quick }: Pick<Options, 'quick'>, scale = 1): Pace {
  return quick
    ? { slices: 3, sliceSeconds: 0.35 * scale, warmUpSeconds: 0.25 * scale, warmUpRequests: 2000 }
    : { slices: 5, sliceSeconds: 0.8 * scale, warmUpSeconds: 1 * scale, warmUpRequests: 5000 };
}
