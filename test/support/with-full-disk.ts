import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished, test } from 'vitest';
import { runTool } from './run-tool.ts';

export interface SmallDisk {
  directory: string;
  /** Takes all the space that is left. */
  fill(): void;
  /** Gives it back. */
  free(): void;
}

/** Room for a new database and its log, and no more than memory can spare. */
const diskSize = '512m';
const testMs = 240_000;
const blockBytes = [1_048_576, 4_096];

/**
 * `test` with a file system of its own. Where none can be mounted the test is skipped under a name that says so; with
 * MILLRACE_TEST_ALL=1 it fails instead.
 */
export function withFullDisk(name: string, body: (disk: SmallDisk) => Promise<void>): void {
  if (process.env.MILLRACE_TEST_ALL !== '1' && !canMount()) {
    test.skip(`${name} [needs root, who may mount a tmpfs]`, () => {});
    return;
  }
  test(name, async () => await body(mountDisk()), testMs);
}

function canMount(): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-disk-'));
  try {
    mount(directory);
    unmount(directory);
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(directory);
  }
}

function mountDisk(): SmallDisk {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-disk-'));
  mount(directory);
  onTestFinished(() => {
    unmount(directory);
    rmdirSync(directory);
  });
  const ballast = join(directory, 'ballast');
  return {
    directory,
    fill() {
      const file = openSync(ballast, 'w');
      for (const bytes of blockBytes) writeUntilFull(file, Buffer.alloc(bytes));
      closeSync(file);
    },
    free: () => rmSync(ballast),
  };
}

function writeUntilFull(file: number, block: Buffer): void {
  try {
    while (writeSync(file, block) > 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

function mount(directory: string): void {
  // Lazily unmounted below: a server that is killed may hold it for a moment.
  runTool(['mount', '-t', 'tmpfs', '-o', `size=${diskSize},mode=0711`, 'tmpfs', directory]);
}

function unmount(directory: string): void {
  runTool(['umount', '-l', directory]);
}
