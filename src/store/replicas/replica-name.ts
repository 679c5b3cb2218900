import { serverOf } from '../../lib/postgres-url.ts';

/** Where a replica is, for logs and figures: without name and password, and without a port that is not told. */
export function replicaName(url: string): string {
  const { host, port } = serverOf(url);
  return port === undefined ? host : `${host}:${port}`;
}
