import { join } from 'node:path';
import type { Config } from '../config/resolve-config.ts';
import { Failure } from './failure.ts';
import { readServerFile } from './server-access.ts';

export interface OpenedDatabase {
  url: string;
  /** Of a server that was started for this look. */
  stop?(): Promise<void>;
}

/**
 * The database that is meant: the option's, else the one that the server of the data directory uses, else the embedded
 * one there, which is started for as long as it is looked at when it does not run. It makes none.
 */
export async function findDatabase({ database, data }: Config): Promise<OpenedDatabase> {
  if (database !== undefined) return { url: database };
  const used = readServerFile(data)?.database;
  if (used?.whole) return { url: used.url };
  if (used !== undefined) {
    throw new Failure(`the server of ${data} uses another database: ${used.url}`, {
      hint: 'Its password is not kept there: give --database, or set MILLRACE_DATABASE_URL.',
    });
  }
  return await embedded(data);
}

async function embedded(dataDir: string): Promise<OpenedDatabase> {
  const [{ clusterMajor }, { findRunning }, { startEmbedded }] = await Promise.all([
    import('../embedded/cluster.ts'),
    import('../embedded/find-running.ts'),
    import('../embedded/start-embedded.ts'),
  ]);
  if ((await clusterMajor(join(dataDir, 'postgres'))) === undefined) {
    throw new Failure(`there is no database in ${dataDir}`, {
      hint: 'Give --database (or MILLRACE_DATABASE_URL), another --data, or make one with: millrace serve.',
    });
  }
  const url = await findRunning(dataDir);
  return url === undefined ? await startEmbedded({ dataDir }) : { url };
}
