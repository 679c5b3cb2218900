import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import LongestFirst from './test/support/longest-first.ts';

/** Minutes each: `npm run test:long` runs them, and nothing else. */
const long = '{bench,test}/**/*.long.test.ts';
const wantsLong = process.env.MILLRACE_TEST_LONG === '1';

export default defineConfig({
  resolve: {
    // Threads are started from what bundle-threads.ts made. The whole path is replaced, hence the beginning of the expression.
    alias: [
      {
        find: /^.*\/lib\/thread-script\.ts$/,
        replacement: join(import.meta.dirname, 'test/support/bundled-thread-script.ts'),
      },
    ],
  },
  test: {
    include: wantsLong
      ? [long]
      : [
          'src/**/*.test.ts',
          'dashboard/src/**/*.test.ts',
          'test/**/*.test.ts',
          'scripts/**/*.test.ts',
          'bench/*.test.ts',
        ],
    exclude: ['**/node_modules/**', ...(wantsLong ? [] : [long])],
    globalSetup: [
      'test/support/clear-left-data.ts',
      'test/support/bundle-threads.ts',
      'test/support/shared-postgres.ts',
    ],
    setupFiles: ['test/support/end-file.ts'],
    reporters: ['default', './test/support/tally-reporter.ts'],
    // Tests start processes and a database on machines of two cores. Three at a time took no less, and met their time limits.
    maxWorkers: 2,
    // A file of tests leaves nothing open: those of one process share what they import, which took longer than many a test.
    isolate: false,
    sequence: { sequencer: LongestFirst },
    // No test is near these: a machine that is busy with something else may slow each one down many times.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    teardownTimeout: 60_000,
    expect: { poll: { timeout: 60_000, interval: 20 } },
  },
});
