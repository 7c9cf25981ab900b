import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 120_000,
    hookTimeout: 120_000,
    restoreMocks: true,
    // Random order within a file, so that no test leans on the one before.
    sequence: { shuffle: { tests: true } },
    reporters: ['default'],
  },
});
