import { countOrphanedShards, readWorkers, type WorkerRow } from '../../store/inspection/read-workers.ts';
import { type Check, type Finding, orOk } from '../check.ts';

/** A worker beats three times a lease; a moved shard is idle for half a second. */
const beatShare = 0.5;
const movingMs = 1_500;

/** Whether every shard has a worker that lives. */
export const leases: Check = {
  name: 'leases',
  onlyWhileWritable: true,
  async run({ database, clock, leaseMs, signal }) {
    const before = await readWorkers(database);
    const orphansBefore = await countOrphanedShards(database);
    if (before.length > 0) await clock.sleep(Math.max(leaseMs * beatShare, movingMs), signal);
    const now = await readWorkers(database);
    const orphans = Math.min(orphansBefore, await countOrphanedShards(database));
    if (now.length === 0) {
      const mend = 'millrace serve (with the role deliver)';
      return [{ severity: 'warning', summary: 'no worker runs: nothing is delivered', mend }];
    }
    const findings: Finding[] = now.filter((worker) => isSilent(worker, before)).map(silent);
    if (orphans > 0) {
      findings.push({
        severity: 'error',
        summary: `${orphans} shards have had no worker for ${Math.max(leaseMs * beatShare, movingMs) / 1_000} s: their messages wait`,
        mend: 'Look into the servers’ logs for errors of the database; start another: millrace serve --roles deliver',
      });
    }
    const shown = now.map(({ host, pid, shards }) => `${host}:${pid} ${shards}`).join(', ');
    return orOk(findings, `${now.length} workers, shards: ${shown}`);
  },
};

function isSilent({ id, beat }: WorkerRow, before: WorkerRow[]): boolean {
  return before.some((other) => other.id === id && other.beat === beat);
}

function silent({ host, pid, shards }: WorkerRow): Finding {
  return {
    severity: 'warning',
    summary: `the worker ${pid} on ${host} has not renewed its lease: its ${shards} shards wait until it does or they are taken over`,
    mend: `Is it suspended, overloaded or cut off from the database? On ${host}: ps -o pid,state,pcpu -p ${pid}`,
  };
}
