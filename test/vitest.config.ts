/**
 * Two projects: everything on the embedded store; and on MongoDB, where a server can be found, all that speaks to a store
 * (test/support/store-under-test.ts). `npm test -- --project embedded` runs the first alone.
 */
import { availableParallelism } from 'node:os';

import { defineConfig, type ViteUserConfig } from 'vitest/config';

import { closingLine } from './support/closing-line.ts';
import { findServer, type FoundServer } from './support/mongodb/find.ts';
import { findSimplesamlphp, type FoundSimplesamlphp } from './support/simplesamlphp/find.ts';

const ON_MONGODB_ALONE = ['test/store/mongo*.test.ts', 'test/cluster/**/*.test.ts'];

const WITHOUT_SIMPLESAMLPHP =
  'The SimpleSAMLphp suite did not run: no SimpleSAMLphp was found. test/support/simplesamlphp/obtain.sh fetches one.';
// Half of the promises were tested on one engine only.
const WITHOUT_MONGODB =
  'The MongoDB suite did not run: there is no server. Either run test/support/mongodb/obtain.sh, or put mongod on the PATH, or name one in CURFEW_TEST_MONGODB_URL.';

export function configure(server: FoundServer | undefined, simplesamlphp?: FoundSimplesamlphp): ViteUserConfig {
  const missing = [
    ...(simplesamlphp === undefined ? [WITHOUT_SIMPLESAMLPHP] : []),
    ...(server === undefined ? [WITHOUT_MONGODB] : []),
  ];
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
      reporters: ['default', ...missing.map(closingLine)],
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
      'test/unit/{accounts,sign-in,throttle,totp,recovery-codes,trusted-browsers,mailed-links,half-way}.test.ts',
      ...ON_MONGODB_ALONE,
    ],
    // About files of SQLite's, or about nothing that is kept.
    exclude: ['test/**/sqlite*.test.ts', 'test/hostile/outbound.test.ts'],
    globalSetup: ['test/support/mongodb/global-setup.ts'],
  },
};

export default configure(findServer(), findSimplesamlphp());
