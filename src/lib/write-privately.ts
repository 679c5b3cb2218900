import { rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { OwnFileError } from './own-file-error.ts';
import { syncDirectory } from './sync-directory.ts';

/**
 * Whole or not at all, on the disk when it is done, and never readable by others, not even for a moment.
 * @throws OwnFileError
 */
export async function writePrivately(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}.new`;
  try {
    await writeFile(temporary, text, { mode: 0o600, flush: true });
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw new OwnFileError(path, { doing: 'written', cause });
  }
}
