import { parsePostgresUrl } from '../../lib/postgres-url.ts';
import type { ConnectionSettings, Connections } from './connections.ts';
import { openHostPool } from './host-pool.ts';
import { openSeveralHosts } from './several-hosts.ts';

/** To the one host that the URL names, whatever it is, or to the one of several that takes writes. */
export function openConnections(settings: ConnectionSettings): Connections {
  const { target } = parsePostgresUrl(settings.url);
  return target === undefined ? openHostPool(settings) : openSeveralHosts(settings);
}
