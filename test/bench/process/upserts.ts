/** What a durable write costs: rows like those of artifacts, by themselves and 32 to a commit. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

import type { Rate } from '../measure.ts';
import { freshKeys } from './keys.ts';
import { ownRates, type Slicing } from './slicing.ts';

const PER_COMMIT = 32;

export async function upsert({
  folder,
  ...slicing
}: Slicing & { folder: string }): Promise<{ single: Rate; grouped: Rate }> {
  const handle = new DatabaseSync(join(folder, 'limits.db'));
  handle.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536');
  handle.exec('CREATE TABLE rows (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, payload TEXT, expires_at INTEGER)');
  const write = handle.prepare(
    `INSERT INTO rows (key, payload, expires_at) VALUES (?1, ?2, ?3)
     ON CONFLICT (key) DO UPDATE SET payload = ?2, expires_at = ?3`,
  );
  const key = freshKeys();
  const payload = JSON.stringify({ kind: 'AccessToken', filler: 'x'.repeat(400) });
  const writeNext = (): void => void write.run(key(), payload, Date.now());
  const [single, grouped] = await ownRates(
    [
      { lanes: 1, perform: async () => writeNext() },
      {
        lanes: 1,
        each: PER_COMMIT,
        async perform() {
          handle.exec('BEGIN IMMEDIATE');
          for (let row = 0; row < PER_COMMIT; row++) writeNext();
          handle.exec('COMMIT');
        },
      },
    ],
    slicing,
  );
  handle.close();
  if (single === undefined || grouped === undefined) throw new Error('nothing was measured');
  return { single, grouped };
}
