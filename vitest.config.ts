import { defineConfig } from 'vitest/config';
import LongestFirst from './test/support/longest-first.ts';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'scripts/**/*.test.ts', 'bench/*.test.ts'],
    globalSetup: ['test/support/shared-postgres.ts'],
    setupFiles: ['test/support/drop-databases.ts'],
    reporters: ['default', './test/support/tally-reporter.ts'],
    // Tests start processes and a database on machines of two cores.
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    // No test is near these: a machine that is busy with something else may slow each one down many times.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    teardownTimeout: 60_000,
    expect: { poll: { timeout: 60_000, interval: 20 } },
  },
});
