import { type Data, makeData } from '../data.ts';
import { connectServer, type Database, type DatabaseServer } from '../database.ts';
import { type Figure, type FigureContext, type Measurement, ratios, sized } from '../figure.ts';
import { type Lag, watchLag } from '../lag-watch.ts';
import { checkLedger } from '../ledger.ts';
import { startMillrace, startSink } from '../millrace.ts';
import { floodRoute, putBatchedRoute } from '../routes.ts';
import { createRowTable } from '../row-table.ts';
import { type ReplicatedPair, startReplicatedPair } from '../standby.ts';
import { percentile } from '../statistics.ts';

const drainTimeoutMs = 1_200_000;

interface Side extends Lag {
  walBytes: number;
  /** Of the work alone; the standby may need longer. */
  seconds: number;
}

interface Place {
  context: FigureContext;
  pair: ReplicatedPair;
  server: DatabaseServer;
  data: Data;
}

export const replicaLag: Figure = {
  name: 'replica-lag',
  title: 'Replica lag and WAL bytes while the flood is accepted and delivered, against the row table',
  needs: ['psql'],
  async run(context) {
    const data = await makeData({ dir: context.dataDir, count: context.messages });
    const pair = await startReplicatedPair({ dir: context.dir, fsync: !context.short });
    const server = await connectServer(pair.primaryUrl);
    try {
      const sides = await takeTurns({ context, pair, server, data });
      return { measurements: measurements(sides, data.count), notes: notes(context, data) };
    } finally {
      await server.close();
      await pair.stop();
    }
  },
};

async function takeTurns(place: Place): Promise<{ rows: Side[]; millrace: Side[] }> {
  const { context } = place;
  const rows: Side[] = [];
  const millrace: Side[] = [];
  for (let run = 0; run < context.runs; run++) {
    const sides = [
      async () => rows.push(await copyRows(place)),
      async () => millrace.push(await flood(place)),
    ];
    for (const side of run % 2 === 0 ? sides : sides.reverse()) await side();
    context.say(`run ${run + 1}: rows ${tell(rows[run]!)}; Millrace ${tell(millrace[run]!)}`);
  }
  return { rows, millrace };
}

async function copyRows(place: Place): Promise<Side> {
  const database = await place.server.create('bench_rows');
  try {
    await createRowTable(database);
    return await measureSide({
      ...{ place, database },
      work: async () => {
        await database.copy('message', place.data.tsv);
      },
    });
  } finally {
    await database.drop();
  }
}

async function flood(place: Place): Promise<Side> {
  const { context, data } = place;
  const database = await place.server.create('bench_millrace');
  const sink = await startSink();
  const millrace = await startMillrace({ databaseUrl: database.url, dir: context.dir });
  try {
    await putBatchedRoute(millrace, sink.url);
    const work = async () => {
      const batch = await millrace.uploadOpen(floodRoute, data.ndjson);
      await millrace.closeBatch(batch.id);
      await millrace.waitSent(batch.id, drainTimeoutMs);
    };
    const side = await measureSide({ place, database, work });
    await checkLedger(sink.url, data.count);
    return side;
  } finally {
    await millrace.stop();
    await sink.stop();
    await database.drop();
  }
}

async function measureSide(options: {
  place: Place;
  database: Database;
  work: () => Promise<void>;
}): Promise<Side> {
  const { place, database, work } = options;
  const everyMs = sized(place.context, { full: 100, short: 10 });
  const meter = await database.startMeter();
  const watch = await watchLag(place.pair, everyMs);
  try {
    const startedMs = performance.now();
    await work();
    const seconds = (performance.now() - startedMs) / 1_000;
    const lag = await watch.finish();
    return { ...lag, seconds, walBytes: (await meter.read()).walBytes };
  } finally {
    await watch.stop();
  }
}

type Value = [name: string, unit: string, of: (side: Side) => number];

function measurements(sides: { rows: Side[]; millrace: Side[] }, count: number): Measurement[] {
  const judged: Value[] = [
    ['WAL', 'bytes/message', ({ walBytes }) => walBytes / count],
    ['age of a read on the standby, most', 's', ({ ageMs }) => Math.max(...ageMs) / 1_000],
    ['age of a read on the standby, p99', 's', ({ ageMs }) => percentile(ageMs, 0.99) / 1_000],
    ['replay lag, most', 'bytes', ({ bytes }) => lacking(Math.max(...bytes))],
    ['replay lag, p99', 'bytes', ({ bytes }) => lacking(percentile(bytes, 0.99))],
  ];
  const told: Value[] = [
    ['until the standby had caught up', 's', ({ catchUpMs }) => catchUpMs / 1_000],
    ['the work itself', 's', ({ seconds }) => seconds],
  ];
  const of = (side: Side[], name: string, [what, unit, value]: Value): Measurement => ({
    ...{ name: `${name}: ${what}`, unit, values: side.map(value) },
  });
  return [
    ...judged.map(([what, , value]) => ({
      name: `${what}, Millrace / rows`,
      unit: '',
      values: ratios(sides.millrace.map(value), sides.rows.map(value)),
    })),
    ...[...judged, ...told].flatMap((value) => [
      of(sides.rows, 'row table', value),
      of(sides.millrace, 'Millrace', value),
    ]),
  ];
}

/** A standby that is in step lacks nothing, by which nothing can be divided. */
function lacking(bytes: number): number {
  return Math.max(1, bytes);
}

function notes(context: FigureContext, data: Data): string[] {
  const everyMs = sized(context, { full: 100, short: 10 });
  return [
    `${data.count} messages. One primary and one asynchronous streaming standby on loopback, both the PostgreSQL that comes along, made for this figure`,
    'whatever `--database` says; they share the machine with server, provider and client, so that a busy machine delays replay too: only the ratios count.',
    'Rows: the row table of the storage figure, filled by one `\\copy`; it is never updated and holds no word of what became of the messages.',
    'Millrace: uploaded over HTTP, then delivered in POSTs of 500, every outcome recorded.',
    `Every ${everyMs} ms a heartbeat is written on the primary and read on the standby: the age of a read counts from before the write to the`,
    `standby's answer, so that one in step shows up to ${everyMs} ms and both statements. The heartbeats are part of the WAL of both sides.`,
    'Samples go on until the standby has replayed all; each side begins with a CHECKPOINT and a standby that is in step.',
  ];
}

function tell({ ageMs, seconds, walBytes }: Side): string {
  return `${seconds.toFixed(1)} s, ${walBytes} bytes of WAL, ${(Math.max(...ageMs) / 1_000).toFixed(2)} s old at most`;
}
