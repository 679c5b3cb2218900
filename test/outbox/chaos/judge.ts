import { outboxTable, outboxTableDefault } from '../../../src/client/outbox-table.ts';
import type { AppDatabase } from '../app-database.ts';
import type { RefSink } from '../ref-sink.ts';
import type { Victim } from './installation.ts';
import type { Staging } from './staging.ts';

export interface OutboxReport {
  database: string;
  seconds: number;
  kills: Record<Victim, number>;
  committed: number;
  rolledBack: number;
  arrived: number;
  /** Committed, and never at the sink. */
  lost: number;
  /** At the sink under two message ids: moved into Millrace twice. */
  doubled: number;
  /** At the sink, and rolled back. */
  phantoms: number;
  /** Set aside by the drainer. */
  setAside: number;
  /** Messages of ordering keys, and those that arrived before one that had been committed earlier. */
  ordered: number;
  overtaken: number;
  /** Sent again by Millrace under the same id, after the server was killed: the provider knows it by that. */
  repeated: number;
  /** The promises that did not hold, in words. */
  broken: string[];
}

export async function judge({
  app,
  sink,
  staging,
  kills,
  startedAt,
}: {
  app: AppDatabase;
  sink: RefSink;
  staging: Staging;
  kills: Record<Victim, number>;
  startedAt: number;
}): Promise<OutboxReport> {
  const places = new Map(sink.arrivals.map(({ ref }, place) => [ref, place]));
  const fates = [...staging.fate];
  const committed = fates.filter(([, fate]) => fate === 'committed').map(([ref]) => ref);
  const report: OutboxReport = {
    database: app.dialect,
    seconds: Math.round((performance.now() - startedAt) / 1_000),
    kills,
    committed: committed.length,
    rolledBack: fates.length - committed.length,
    arrived: places.size,
    lost: committed.filter((ref) => !places.has(ref)).length,
    doubled: sink.doubled.length,
    phantoms: sink.arrivals.filter(({ ref }) => staging.fate.get(ref) !== 'committed').length,
    setAside: await countSetAside(app),
    ordered: [...staging.ordered.values()].reduce((sum, refs) => sum + refs.length, 0),
    overtaken: [...staging.ordered.values()].reduce((sum, refs) => sum + countOvertaken(refs, places), 0),
    repeated: sink.repeats,
    broken: [],
  };
  for (const name of ['lost', 'doubled', 'phantoms', 'setAside', 'overtaken'] as const) {
    if (report[name] > 0) report.broken.push(`${name}: ${report[name]}`);
  }
  if (report.arrived === 0) report.broken.push('nothing arrived');
  return report;
}

async function countSetAside(app: AppDatabase): Promise<number> {
  const connection = await app.connect();
  const { rejected } = outboxTable(outboxTableDefault, app.dialect);
  const [row] = await connection.query<{ count: number | string }>(
    `SELECT COUNT(*) AS count FROM ${rejected}`,
  );
  await connection.end();
  return Number(row!.count);
}

function countOvertaken(refs: readonly string[], places: ReadonlyMap<string, number>): number {
  let latest = -1;
  let overtaken = 0;
  for (const ref of refs) {
    const place = places.get(ref) ?? latest;
    if (place < latest) overtaken++;
    latest = Math.max(latest, place);
  }
  return overtaken;
}
