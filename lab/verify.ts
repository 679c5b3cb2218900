import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster } from './cluster/cluster.ts';
import { type NodeName, nodeNames } from './network.ts';

/** Of what is claimed of the cluster, what was seen of it. */
export interface Verified {
  /** Nodes whose pages have no checksums. */
  withoutChecksums: NodeName[];
  /** How often each node came back by `pg_rewind`. */
  rewinds: Record<NodeName, number>;
}

export async function verifyCluster({ watches, machines }: Cluster): Promise<Verified> {
  const withoutChecksums: NodeName[] = [];
  const rewinds = {} as Record<NodeName, number>;
  for (const name of nodeNames) {
    const [row] = await watches[name].ask<{ data_checksums: string }>('SHOW data_checksums');
    if (row?.data_checksums !== 'on') withoutChecksums.push(name);
    rewinds[name] = rewindsIn(readFileSync(join(machines[name].directory, 'patroni.log'), 'utf8'));
  }
  return { withoutChecksums, rewinds };
}

/** As Patroni logs each that succeeded. */
export function rewindsIn(log: string): number {
  return log.match(/pg_rewind exit code=0\b/g)?.length ?? 0;
}

/** Processes of this machine, of every namespace, that have a file open. */
export function holdersOf(file: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => openFilesOf(pid).includes(file)).map(Number);
}

function openFilesOf(pid: string): string[] {
  const directory = `/proc/${pid}/fd`;
  return unlessGone(() => readdirSync(directory), []).map((fd) =>
    unlessGone(() => readlinkSync(join(directory, fd)), ''),
  );
}

/** Processes end, and close files, while they are looked at. */
function unlessGone<Value>(read: () => Value, otherwise: Value): Value {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
