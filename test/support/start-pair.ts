import { onTestFinished } from 'vitest';
import type { ServerSettings } from '../../src/embedded/server-settings.ts';
import { usedDirectory } from '../embedded/data-directory.ts';
import { conninfoOf, type PairedServer, startPairedServer, untilStreaming } from './paired-server.ts';

export interface Pair {
  primary: PairedServer;
  /** Streams from the primary; `pg_promote()` makes a primary of it. */
  standby: PairedServer;
  /** Of both, the primary first. */
  url: string;
}

/** Two servers on loopback, one of which follows the other: copies of one cluster. They end with the test. */
export async function startPair(): Promise<Pair> {
  const primary = await startServer({});
  const standby = await startServer({ primary_conninfo: conninfoOf(primary) });
  await untilStreaming(primary);
  return { primary, standby, url: urlOf([primary, standby]) };
}

/** Of several hosts, in this order, with the first one's user and database. */
export function urlOf(servers: readonly { url: string }[]): string {
  const [first] = servers.map(({ url }) => new URL(url));
  const hosts = servers.map(({ url }) => new URL(url).host);
  return `postgres://${first!.username}:${first!.password}@${hosts.join(',')}${first!.pathname}`;
}

async function startServer(settings: ServerSettings): Promise<PairedServer> {
  // Nothing here outlives a crash of the machine.
  const server = await startPairedServer(await usedDirectory(), { fsync: false, ...settings });
  onTestFinished(() => server.stop());
  return server;
}
