/** Being the one process that does something, in SQLite: a row under the name of what is done, taken in one write. */
import type { LeaseRepository } from '../leases.ts';
import type { Database } from './database.ts';
import { farFrom, free } from './leases.ts';

export function leaseRepository(database: Database): LeaseRepository {
  return {
    hold: (lease) => database.write('hold a lease', () => holdLease(database, lease)),
    release: ({ name, holder }) =>
      database.write('give a lease back', () => {
        database.run('DELETE FROM leases WHERE name = ? AND holder = ?', name, holder);
      }),
  };
}

/** Only inside `write`. */
export function holdLease(
  database: Database,
  { name, holder, now, leaseUntil }: Parameters<LeaseRepository['hold']>[0],
): boolean {
  const held = database.run(
    `INSERT INTO leases (name, holder, lease_until) VALUES (?1, ?2, ?3)
     ON CONFLICT (name) DO UPDATE SET holder = ?2, lease_until = ?3 WHERE holder = ?2 OR ${free('?4', '?5')}`,
    name,
    holder,
    leaseUntil.getTime(),
    now.getTime(),
    farFrom(now),
  );
  return held === 1;
}
