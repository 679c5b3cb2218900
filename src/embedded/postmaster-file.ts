import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What a server says of itself in `postmaster.pid` (PostgreSQL's src/include/utils/pidfile.h). */
export interface PostmasterFile {
  pid: number;
  port: number;
  status: 'starting' | 'ready' | 'stopping' | 'other';
}

const pidLine = 0;
const portLine = 3;
const statusLine = 7;
/** Above the highest process id of Linux (2^22) and macOS (99,999), so never that of a process. */
const impossiblePid = 2_147_483_647;

/** Undefined when no server has, or had, the cluster open; port 0 and `other` until it has written them. */
export async function readPostmasterFile(clusterDir: string): Promise<PostmasterFile | undefined> {
  const lines = await readLines(clusterDir);
  const pid = Math.abs(Number.parseInt(lines?.[pidLine] ?? '', 10));
  if (!lines || !pid) return undefined;
  const status = lines[statusLine]?.trim();
  return {
    pid,
    port: Number.parseInt(lines[portLine] ?? '', 10) || 0,
    status: status === 'starting' || status === 'ready' || status === 'stopping' ? status : 'other',
  };
}

/**
 * Makes the file name a process that cannot exist, so that a server starts over it. Not deleted: its
 * shared-memory line still keeps a server from starting beside backends that outlived their postmaster.
 */
export async function disownPostmasterFile(clusterDir: string): Promise<void> {
  const lines = await readLines(clusterDir);
  if (!lines) return;
  lines[pidLine] = String(impossiblePid);
  // Written in place: as root, a new file would not be the server's to read.
  await writeFile(join(clusterDir, 'postmaster.pid'), lines.join('\n'), { flag: 'r+' });
}

async function readLines(clusterDir: string): Promise<string[] | undefined> {
  try {
    return (await readFile(join(clusterDir, 'postmaster.pid'), 'utf8')).split('\n');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
