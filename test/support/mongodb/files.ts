/** What a mongod has on disk, read past it: what was written and since overwritten or deleted may lie there still. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Everything is written as it is, so that what it says can be found in the files. */
export const UNCOMPRESSED = [
  '--wiredTigerCollectionBlockCompressor none',
  '--wiredTigerJournalCompressor none',
  '--wiredTigerIndexPrefixCompression false',
].flatMap((options) => options.split(' '));

/** The journal: every write since the last checkpoint, and often before it. */
export function journalOf(folder: string): Record<string, Buffer> {
  return read(join(folder, 'journal'), /^WiredTigerLog\./);
}

/** Collections and indexes, as the last checkpoint left them. */
export function tablesOf(folder: string): Record<string, Buffer> {
  return read(folder, /^(collection|index)-.*\.wt$/);
}

function read(folder: string, wanted: RegExp): Record<string, Buffer> {
  const names = readdirSync(folder).filter((name) => wanted.test(name));
  return Object.fromEntries(names.map((name) => [name, withoutTail(readFileSync(join(folder, name)))]));
}

/** A journal file is laid out in full before anything is in it. */
function withoutTail(content: Buffer): Buffer {
  let end = content.length;
  while (end > 0 && content[end - 1] === 0) end -= 1;
  return content.subarray(0, end);
}
