import { join } from 'node:path';
import { clusterDatabase, clusterRole, readPassword } from './cluster.ts';
import { readPostmasterFile } from './postmaster-file.ts';

/** The URL of the server that another process runs in this data directory; undefined when none does, or it is not ready. */
export async function findRunning(dataDir: string): Promise<string | undefined> {
  const file = await readPostmasterFile(join(dataDir, 'postgres'));
  if (file?.status !== 'ready' || !isAlive(file.pid)) return undefined;
  const password = await readPassword(dataDir);
  return password && `postgres://${clusterRole}:${password}@127.0.0.1:${file.port}/${clusterDatabase}`;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
