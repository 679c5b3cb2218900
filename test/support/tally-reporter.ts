import { writeFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import type { SerializedError, TestModule } from 'vitest/node';

/** Of a failure's line: an assertion on a whole page would fill screens. */
const lineLengthMax = 300;

/**
 * Names the skipped tests, which the default reporter only counts, and last what failed, a line each. With
 * MILLRACE_TEST_TALLY the latter go to that file, below a line `<passed> <failed>`. A file that failed outside
 * its tests, or an error that no test caught, counts as a failed test.
 */
export default class TallyReporter {
  readonly #tallyPath: string | undefined;
  readonly #write: (text: string) => unknown;

  constructor({
    tallyPath = process.env.MILLRACE_TEST_TALLY,
    write = (text: string): unknown => process.stdout.write(text),
  } = {}) {
    this.#tallyPath = tallyPath;
    this.#write = write;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const skipped = tests.filter((test) => test.result().state === 'skipped');
    for (const test of skipped) this.#write(`skipped: ${test.module.relativeModuleId} > ${test.fullName}\n`);

    const passed = tests.filter((test) => test.result().state === 'passed').length;
    const failures = [...modules.flatMap(failuresOf), ...unhandled.map((error) => failure('no test', error))];
    const lines = failures.map((line) => `${line}\n`).join('');
    if (this.#tallyPath) writeFileSync(this.#tallyPath, `${passed} ${failures.length}\n${lines}`);
    else this.#write(lines);
  }
}

function failuresOf(module: TestModule): string[] {
  const name = module.relativeModuleId;
  const tests = [...module.children.allTests()].filter((test) => test.result().state === 'failed');
  const failed = tests.map((test) => failure(`${name} > ${test.fullName}`, test.result().errors?.[0]));
  const outside = [module, ...module.children.allSuites()].flatMap((part) => part.errors())[0];
  return outside === undefined ? failed : [...failed, failure(name, outside)];
}

function failure(where: string, error: { message: string } | undefined): string {
  const [reason] = stripVTControlCharacters(error?.message ?? '')
    .trimStart()
    .split('\n');
  return `failed: ${where}: ${reason}`.slice(0, lineLengthMax);
}
