import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { startEmbedded } from '../../src/embedded/start-embedded.ts';
import { afterFile } from '../support/after-file.ts';

export const isRoot = process.getuid?.() === 0;

/** Of the present test file. */
let made: Promise<string> | undefined;

/** An empty directory for one test, removed with it (after what the test registers later has ended). */
export async function temporaryDirectory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'millrace-embedded-'));
  onTestFinished(() => remove(path));
  return path;
}

/** A data directory with a database in it, for tests whose point is not the first start: a copy takes a tenth of its time. */
export async function usedDirectory(): Promise<string> {
  made ??= makeOnce();
  const path = await temporaryDirectory();
  // `cp -p`: the files keep their owner, which is not root.
  const { status, stderr } = spawnSync('cp', ['-pR', `${await made}/.`, path], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  if (status !== 0) throw new Error(`cp failed: ${stderr}`);
  return path;
}

async function makeOnce(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'millrace-embedded-'));
  afterFile(() => {
    made = undefined;
    return remove(path);
  });
  const server = await startEmbedded({ dataDir: path });
  await server.stop();
  return path;
}

function remove(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
