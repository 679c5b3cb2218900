import { chmod, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a data directory, closed to others. Parents made on the way are open for passage, whatever the umask: nothing but the data directory
 * is in them.
 */
export async function makeDataDirectory(path: string): Promise<void> {
  const first = await makeDirectory(path, 0o700);
  if (!first) return;
  for (let above = dirname(path); above.length >= first.length; above = dirname(above))
    await chmod(above, 0o755);
}

/**
 * Makes a directory and those above it; answers the first that was made, like `mkdir` with `recursive`, which tries
 * for ever where a directory that exists takes none (`/proc`).
 */
export async function makeDirectory(path: string, mode = 0o777): Promise<string | undefined> {
  try {
    await mkdir(path, { mode });
    return path;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return undefined;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
  }
  const first = await makeDirectory(dirname(path), mode);
  try {
    await mkdir(path, { mode });
  } catch (error) {
    // Somebody else was first.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return first ?? path;
}
