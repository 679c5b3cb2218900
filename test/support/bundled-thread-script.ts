import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inject } from 'vitest';

/** Stands for `lib/thread-script.ts` in tests (vitest.config.ts): a script that `bundle-threads.ts` made. */
export function threadScript(name: string): URL {
  return pathToFileURL(join(inject('threadsDirectory'), `${name}.js`));
}
