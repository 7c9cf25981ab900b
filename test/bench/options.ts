/** What is asked for on the command line. */
import { parseArgs } from 'node:util';

import type { Pace } from './measure.ts';

export type Options = {
  readonly names: readonly string[];
  readonly quick: boolean;
  readonly json: boolean;
  readonly profile: string | undefined;
  /** A MongoDB server to measure beside SQLite; databases of the bench's own are made there, and dropped. */
  readonly store: string | undefined;
  /** How many people an incident is about; undefined: as many as a scenario has by itself. */
  readonly accounts: number | undefined;
};

export const USAGE = `npm run bench [-- NAME…] [--quick] [--json] [--profile FOLDER] [--store URL]

  NAME…             only these (without names: everything)
  --quick           shorter slices and smaller stores: figures are rougher
  --json            one JSON document on stdout
  --profile FOLDER  a .cpuprofile of each measured process
  --accounts N      how many people \`incident\` is about
  --store URL       the same on MongoDB at this mongodb:// address, and the ratio of the two

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
      store: { type: 'string' },
      accounts: { type: 'string' },
    },
  });
  const { quick, json, help, profile, store } = values;
  const accounts = values.accounts === undefined ? undefined : Number(values.accounts);
  if (accounts !== undefined && !(Number.isInteger(accounts) && accounts >= 100)) {
    throw new Error('--accounts takes a whole number of at least 100');
  }
  if (store !== undefined && !/^mongodb(\+srv)?:\/\//.test(store))
    throw new Error('--store takes a mongodb:// address');
  return { names: positionals, quick, json, help, profile, store, accounts };
}

/** How long slices are, `scale` times the usual. */
export function paceOf({ quick }: Pick<Options, 'quick'>, scale = 1): Pace {
  return quick
    ? { slices: 3, sliceSeconds: 0.35 * scale, warmUpSeconds: 0.25 * scale, warmUpRequests: 2000 }
    : { slices: 5, sliceSeconds: 0.8 * scale, warmUpSeconds: 1 * scale, warmUpRequests: 5000 };
}
