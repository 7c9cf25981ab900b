/**
 * Two projects: everything on the embedded store; and on MongoDB, where a server can be found, all that speaks to a store
 * (test/support/store-under-test.ts). `npm test -- --project embedded` runs the first alone.
 */
import { availableParallelism } from 'node:os';

import { defineConfig, type ViteUserConfig } from 'vitest/config';

import { closingLine } from './support/mongodb/closing-line.ts';
import { findServer, type FoundServer } from './support/mongodb/find.ts';

const ON_MONGODB_ALONE = ['test/store/mongo*.test.ts', 'test/cluster/**/*.test.ts'];

export function configure(server: FoundServer | undefined): ViteUserConfig {
  return defineConfig({
    test: {
      root: new URL('..', import.meta.url).pathname,
      pool: 'forks',
      // A test that waits for a disk, a server or a program leaves its core to another.
      maxWorkers: Math.max(2, availableParallelism() - 1),
      testTimeout: 120_000,
      hookTimeout: 120_000,
      restoreMocks: true,
      // Random order within a file, so that no test leans on the one before.
      sequence: { shuffle: { tests: true } },
      reporters: server === undefined ? ['default', closingLine()] : ['default'],
      projects: [
        { extends: true, test: { name: 'embedded', include: ['test/**/*.test.ts'], exclude: ON_MONGODB_ALONE } },
        ...(server === undefined ? [] : [onMongodb]),
      ],
    },
  });
}

const onMongodb = {
  extends: true as const,
  test: {
    name: 'mongodb',
    include: [
      'test/store/under-test.test.ts',
      'test/{journeys,races,faults,hostile,commands,relying-party}/**/*.test.ts',
      // Those with accounts in a real store.
      'test/unit/{accounts,sign-in,throttle}.test.ts',
      ...ON_MONGODB_ALONE,
    ],
    // About files of SQLite's, or about nothing that is kept.
    exclude: ['test/**/sqlite*.test.ts', 'test/hostile/outbound.test.ts'],
    globalSetup: ['test/support/mongodb/global-setup.ts'],
  },
};

export default configure(findServer());
