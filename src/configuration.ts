/**
 * The configuration as the whole house reads it: what the schema says of it, and what the rooms say of the files it names.
 *
 * Invariant: whoever serves, and every command, reads it here, so that both refuse the same. It refuses to know what the
 * rooms look for.
 */
import { readConfig as readSchema, type ReadingOptions } from './config/read.ts';
import { judgeSamlFiles } from './connections/saml-metadata.ts';
import { systemClock } from './platform/clock.ts';

export function readConfig(options: Omit<ReadingOptions, 'judgeFiles'> = {}): ReturnType<typeof readSchema> {
  return readSchema({ ...options, judgeFiles: (named) => judgeSamlFiles(named, systemClock.now()) });
}
