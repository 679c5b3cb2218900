import { readFile } from 'node:fs/promises';

/** A text file, or undefined when there is none. One that cannot be read is an error, and not taken for missing. */
export async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
