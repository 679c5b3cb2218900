import { test } from 'vitest';
import packages from './debian-packages.json' with { type: 'json' };
import { findProgram, type Program } from './find-program.ts';

type Define = (name: string, body: () => Promise<void>, timeoutMs?: number) => void;

/**
 * `test`, for a test that runs programs which not every machine has:
 *
 *     needs('psql')('a row copied by psql is found', async () => { … });
 *
 * Where one is absent the test is skipped under a name that says which Debian package has it; with
 * MILLRACE_TEST_ALL=1 it fails instead.
 */
export function needs(...programs: readonly Program[]): Define {
  const absent = programs.filter((program) => !findProgram(program));
  return unlessMissing(
    absent.map((program) => `${program} (Debian package ${packages[program]})`).join(', '),
  );
}

/** The same for anything else that a test needs: `missing` says in words what is not there, and is empty when all is. */
export function unlessMissing(missing: string): Define {
  if (missing === '') return (name, body, timeoutMs) => test(name, body, timeoutMs);
  if (process.env.MILLRACE_TEST_ALL !== '1') {
    return (name, body) => test.skip(`${name} [needs ${missing}]`, body);
  }
  return (name) =>
    test(name, () => {
      throw new Error(`needs ${missing}, and MILLRACE_TEST_ALL=1 lets no test be skipped`);
    });
}

/** Like `needs`, for what only root may do, on Linux: namespaces and links of the network. */
export function needsRoot(...programs: readonly Program[]): ReturnType<typeof needs> {
  if (process.platform === 'linux' && process.getuid?.() === 0) return needs(...programs);
  if (process.env.MILLRACE_TEST_ALL !== '1')
    return (name) => test.skip(`${name} [needs root on Linux]`, () => {});
  return (name) =>
    test(name, () => {
      throw new Error('needs root on Linux, and MILLRACE_TEST_ALL=1 lets no test be skipped');
    });
}
