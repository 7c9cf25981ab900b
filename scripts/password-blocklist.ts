#!/usr/bin/env node
/**
 * Makes `config/password-blocklist.bin` from word lists: `node scripts/password-blocklist.ts LIST… [--out FILE]`.
 *
 * A list is text, one password a line, the most common first. Entries that are long enough to be chosen at all come first,
 * then the most common of the rest, which the policy looks for inside longer passwords. Where the shipped file comes from is
 * written in `config/password-blocklist.md`. The same lists always make the same file.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { blocklistEntry, foldPassword } from '../src/authn/password-blocklist.ts';
import { countCodePoints, LONGEST_PASSWORD } from '../src/authn/password-hash.ts';
import { SHORTEST_PASSWORD } from '../src/authn/password-policy.ts';

// 1.2 MB.
const MOST_ENTRIES = 150_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { out: { type: 'string', default: join(import.meta.dirname, '../config/password-blocklist.bin') } },
});
if (positionals.length === 0) {
  process.stderr.write('usage: node scripts/password-blocklist.ts LIST… [--out FILE]\n');
  process.exit(2);
}

const passwords = new Set(
  positionals
    .flatMap((path) => readFileSync(path, 'utf8').split(/\r?\n/))
    .map(foldPassword)
    .filter((password) => password !== '' && countCodePoints(password) <= LONGEST_PASSWORD),
);
const choosable = (password: string): boolean => countCodePoints(password) >= SHORTEST_PASSWORD.withSecondFactor;
const ranked = [...passwords].filter(choosable).concat([...passwords].filter((password) => !choosable(password)));
const entries = ranked.slice(0, MOST_ENTRIES).map(blocklistEntry).sort(Buffer.compare);
writeFileSync(values.out, Buffer.concat(entries));

const long = Math.min(ranked.filter(choosable).length, entries.length);
process.stdout.write(
  `${entries.length} entries, ${long} of them of ${SHORTEST_PASSWORD.withSecondFactor} characters or more\n`,
);
