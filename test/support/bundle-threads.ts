import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { bundle, threadScripts } from '../../scripts/bundle.ts';
import { removeLeftData } from './process-data.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the scripts of threads are. */
    threadsDirectory: string;
  }
}

const root = join(import.meta.dirname, '../..');
const prefix = 'threads-';

/**
 * Once for each run: the scripts of threads as built, for tests that start threads within their own process. Loading the sources
 * by tsx took a thread 1.3 s of processor time (2 cores, Node 20.20), the one of deliveries 4.2 s.
 */
export default async function bundleThreads(project: TestProject): Promise<() => Promise<void>> {
  // Below the package: what is not bundled and package.json are found from there.
  const parent = join(root, 'build');
  mkdirSync(parent, { recursive: true });
  removeLeftData(parent, prefix);
  const directory = join(parent, `${prefix}${process.pid}-`);
  await bundle({ entries: await threadScripts(join(root, 'src')), directory });
  project.provide('threadsDirectory', directory);
  return () => rm(directory, { recursive: true, force: true });
}
