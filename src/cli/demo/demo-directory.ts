import { accessSync, constants } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * An empty directory for one run. Not under /tmp where that can be helped: there it is often memory (Debian 13,
 * Fedora), which would count the database as memory and make fsync free.
 */
export async function makeDemoDirectory(temporary: string | undefined): Promise<string> {
  const directory = await mkdtemp(
    join(temporary ?? (isWritable('/var/tmp') ? '/var/tmp' : tmpdir()), 'millrace-demo-'),
  );
  // mkdtemp closes it to everyone else; the PostgreSQL of root runs as another user and has to pass through.
  if (process.getuid?.() === 0) await chmod(directory, 0o711);
  return directory;
}

export async function removeDemoDirectory(directory: string): Promise<void> {
  // PostgreSQL may still be removing its own files: a directory that fills up meanwhile is tried again.
  await rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
