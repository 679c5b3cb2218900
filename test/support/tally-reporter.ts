import { writeFileSync } from 'node:fs';
import type { SerializedError, TestModule } from 'vitest/node';

/**
 * Names the skipped tests, which the default reporter only counts; with MILLRACE_TEST_TALLY it also writes
 * `<passed> <failed>` to that file. A file that failed outside its tests, or an error that no test caught,
 * counts as a failed test.
 */
export default class TallyReporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const skipped = tests.filter((test) => test.result().state === 'skipped');
    for (const test of skipped)
      process.stdout.write(`skipped: ${test.module.relativeModuleId} > ${test.fullName}\n`);

    const passed = tests.filter((test) => test.result().state === 'passed').length;
    const failed = tests.filter((test) => test.result().state === 'failed').length;
    const broken = modules.filter((module) => module.errors().length > 0 || hasSuiteError(module)).length;
    const path = process.env.MILLRACE_TEST_TALLY;
    if (path) writeFileSync(path, `${passed} ${failed + broken + unhandled.length}\n`);
  }
}

function hasSuiteError(module: TestModule): boolean {
  return [...module.children.allSuites()].some((suite) => suite.errors().length > 0);
}
