import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'scripts/**/*.test.ts', 'bench/*.test.ts'],
    globalSetup: ['test/support/shared-postgres.ts'],
    setupFiles: ['test/support/drop-databases.ts'],
    reporters: ['default', './test/support/tally-reporter.ts'],
    // Tests start processes and a database on machines of two cores.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 60_000,
  },
});
