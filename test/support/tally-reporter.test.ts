import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { SerializedError, TestModule } from 'vitest/node';
import TallyReporter from './tally-reporter.ts';

interface Told {
  tests: Record<string, 'passed' | 'skipped' | { message: string }>;
  errors?: { message: string }[];
  suiteErrors?: { message: string }[];
}

/** As much of a module as the reporter reads. */
function moduleOf(name: string, { tests, errors = [], suiteErrors = [] }: Told): TestModule {
  const allTests = Object.entries(tests).map(([fullName, result]) => ({
    fullName,
    module: { relativeModuleId: name },
    result: () => (typeof result === 'string' ? { state: result } : { state: 'failed', errors: [result] }),
  }));
  const children = { allTests: () => allTests, allSuites: () => [{ errors: () => suiteErrors }] };
  return { relativeModuleId: name, errors: () => errors, children } as unknown as TestModule;
}

const modules = [
  moduleOf('a.test.ts', {
    tests: {
      'it holds': 'passed',
      'it is absent': 'skipped',
      'it breaks': { message: '\u001b[31mexpected 2 to be 3\u001b[39m\n\nExpected: 3' },
    },
  }),
  moduleOf('b.test.ts', { tests: {}, errors: [{ message: 'no such module' }] }),
  moduleOf('c.test.ts', {
    tests: { 'it goes on': 'passed' },
    suiteErrors: [{ message: 'the hook timed out' }],
  }),
];
const unhandled = [{ message: 'nobody caught it' }] as SerializedError[];
const failures = [
  'failed: a.test.ts > it breaks: expected 2 to be 3',
  'failed: b.test.ts: no such module',
  'failed: c.test.ts: the hook timed out',
  'failed: no test: nobody caught it',
];

test('what failed is named last, with the first line of its reason', () => {
  let text = '';
  const reporter = new TallyReporter({ tallyPath: '', write: (part) => (text += part) });
  reporter.onTestRunEnd(modules, unhandled);
  expect(text.trimEnd().split('\n')).toEqual(['skipped: a.test.ts > it is absent', ...failures]);
});

test('a reason that is a whole page is cut', () => {
  let text = '';
  const reporter = new TallyReporter({ tallyPath: '', write: (part) => (text += part) });
  reporter.onTestRunEnd([moduleOf('a.test.ts', { tests: { it: { message: 'x'.repeat(10_000) } } })], []);
  expect(text).toMatch(/^failed: a\.test\.ts > it: x+\n$/);
  expect(text.length).toBeLessThan(400);
});

test('the file for CI has the numbers first, and the same lines', () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-tally-'));
  const tallyPath = join(directory, 'tally');
  new TallyReporter({ tallyPath, write: () => {} }).onTestRunEnd(modules, unhandled);
  expect(readFileSync(tallyPath, 'utf8').trimEnd().split('\n')).toEqual(['2 4', ...failures]);
  rmSync(directory, { recursive: true });
});
