import { open } from 'node:fs/promises';

/** Has the disk keep which names are in the directory: a file that was made or renamed there stays after a loss of power (fsync(2)). */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
