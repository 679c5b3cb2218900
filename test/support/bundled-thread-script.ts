import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Stands for `lib/thread-script.ts` in tests: a script that `bundle-threads.ts` made. */
export function threadScript(name: string): URL {
  return pathToFileURL(join(process.env.MILLRACE_TEST_THREADS!, `${name}.js`));
}
