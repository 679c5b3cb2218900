import { statfs } from 'node:fs/promises';
import type { DiskState } from '../observe/figures/machine-figures.ts';

/** The room on the file system of a directory; undefined where it is not to be had. */
export async function lookAtDisk(directory: string): Promise<DiskState | undefined> {
  try {
    const { bavail, bsize, blocks } = await statfs(directory);
    return { freeBytes: bavail * bsize, sizeBytes: blocks * bsize };
  } catch {
    return undefined;
  }
}
