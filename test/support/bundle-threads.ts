import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { bundle, threadModules } from '../../scripts/bundle.ts';

const root = join(import.meta.dirname, '../..');

/**
 * Once for each run: the scripts of threads as one file each, for tests that start threads within their own process. To load the sources
 * by way of tsx took each thread 1.3 s of processor time, that of deliveries 4.2 s: most of what these tests took.
 */
export default async function bundleThreads(): Promise<() => Promise<void>> {
  const directory = join(root, 'build', `threads-${process.pid}`);
  await bundle({ modules: await threadModules(join(root, 'src')), directory });
  process.env.MILLRACE_TEST_THREADS = directory;
  return () => rm(directory, { recursive: true, force: true });
}
