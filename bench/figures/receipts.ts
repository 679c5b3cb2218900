import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { type Data, makeData } from '../data.ts';
import { type Figure, type FigureContext, type Measurement, ratios, sized } from '../figure.ts';
import { checkLedger, readLedger } from '../ledger.ts';
import { type BatchCounts, type Millrace, startMillrace, startSink } from '../millrace.ts';
import { floodRoute, putBatchedRoute, putSingleRoute } from '../routes.ts';
import { createRowTable } from '../row-table.ts';

const receiptsMax = 1_000_000;
const waitMaxMs = 1_200_000;
const pollEveryMs = 50;
/** Receipts of one POST, and rows of one UPDATE. */
const together = 500;
const failShare = 0.02;
const sinkArgs = ['--receipts-delay-ms', '200', '--receipts-fail-rate', String(failShare)];

interface Side {
  walBytes: number;
  /** Messages a second, from the closing of the batch to the last durable outcome of an attempt. */
  perSecond: number;
  /** From then to the last receipt that became an outcome. */
  restSeconds: number;
}

interface Sides {
  without: Side[];
  withThem: Side[];
}

export const receipts: Figure = {
  name: 'receipts',
  title: 'Receipts of a flood while it is delivered, against an update of each row of the row table',
  needs: ['psql'],
  async run(context) {
    const count = Math.min(context.messages, receiptsMax);
    const data = await makeData({ dir: context.dataDir, count });
    const pace = Math.ceil(count / sized(context, { full: 100, short: 1 }));
    const full = noSides();
    const paced = noSides();
    const single = noSides();
    const rows: number[] = [];
    for (let run = 0; run < context.runs; run++) {
      const sides = [
        async () => full.without.push(await deliver(context, data, { tells: false })),
        async () => full.withThem.push(await deliver(context, data, { tells: true })),
        async () => paced.without.push(await deliver(context, data, { tells: false, pace })),
        async () => paced.withThem.push(await deliver(context, data, { tells: true, pace })),
        async () => single.without.push(await deliver(context, data, { tells: false, singly: true })),
        async () => single.withThem.push(await deliver(context, data, { tells: true, singly: true })),
        async () => rows.push(await updateRows(context, data)),
      ];
      for (const side of run % 2 === 0 ? sides : sides.reverse()) await side();
      for (const { withThem, without } of [full, paced, single]) {
        context.say(
          `run ${run + 1}: ${withThem[run]!.perSecond | 0}/s beside ${without[run]!.perSecond | 0}/s`,
        );
      }
    }
    return {
      measurements: measurementsOf({ full, paced, single, rows, count, pace }),
      notes: notesOf(count),
    };
  },
};

function noSides(): Sides {
  return { without: [], withThem: [] };
}

interface Delivery {
  /** The provider tells of each message. */
  tells: boolean;
  /** Messages a second, the pace of a provider; full speed without it. */
  pace?: number;
  /** One message a POST. */
  singly?: boolean;
}

async function deliver(
  context: FigureContext,
  data: Data,
  { tells, pace, singly = false }: Delivery,
): Promise<Side> {
  const database = await context.server.create('bench_millrace');
  const sink = await startSink(tells ? [...sinkArgs, '--receipts-batch-max', String(together)] : []);
  const millrace = await startMillrace({ databaseUrl: database.url, dir: context.dir });
  try {
    if (singly) await putSingleRoute(millrace, { url: sink.url });
    else await putBatchedRoute(millrace, sink.url, pace);
    if (tells) await tellAt(sink.url, millrace);
    const { id } = await millrace.uploadOpen(floodRoute, data.ndjson);
    const meter = await database.startMeter();
    const startedMs = performance.now();
    await millrace.closeBatch(id);
    await until(millrace, id, ({ sent, delivered, failed }) => sent + delivered + failed === data.count);
    const sentMs = performance.now();
    if (tells) await until(millrace, id, ({ delivered, failed }) => delivered + failed === data.count);
    const toldMs = performance.now();
    // What follows the last outcome belongs to it: the batch is marked done, and its counts follow.
    await delay(1_000);
    const { walBytes } = await meter.read();
    await checkLedger(sink.url, data.count);
    if (tells) await checkBooks(sink.url, millrace, data.count);
    return {
      walBytes,
      perSecond: data.count / ((sentMs - startedMs) / 1_000),
      restSeconds: Math.max(toldMs - sentMs, 1) / 1_000,
    };
  } finally {
    await millrace.stop();
    await sink.stop();
    await database.drop();
  }
}

async function tellAt(sinkUrl: string, millrace: Millrace): Promise<void> {
  const { receiptsUrl } = await millrace.call<{ receiptsUrl: string }>('GET', `/v1/routes/${floodRoute}`);
  const body = JSON.stringify({ url: receiptsUrl });
  const answer = await request(new URL('/receipts', sinkUrl), { method: 'PUT', body });
  await answer.body.dump();
  if (answer.statusCode !== 200) throw new Error('the sink does not take the URL for receipts');
}

/** Every receipt that the provider told was matched, none twice, and none is unknown. */
async function checkBooks(sinkUrl: string, millrace: Millrace, count: number): Promise<void> {
  const deadlineMs = performance.now() + waitMaxMs;
  for (;;) {
    const { receipts: books } = await readLedger(sinkUrl);
    const page = await (await request(`${millrace.url}/metrics`)).body.text();
    const told = (result: string) =>
      Number(
        new RegExp(`^millrace_receipts_total\\{result="${result}"\\} (\\d+)$`, 'm').exec(page)?.[1] ?? 0,
      );
    const repeats = told('stored') - count;
    if (told('matched') === count && told('repeated') === repeats && books.waiting === 0) {
      if (told('unknown') + told('late') + told('unchanged') === 0) return;
      throw new Error('receipts were not matched to their messages');
    }
    if (performance.now() > deadlineMs)
      throw new Error(`of ${count} receipts ${told('matched')} were matched`);
    await delay(pollEveryMs);
  }
}

async function until(
  millrace: Millrace,
  id: string,
  isReached: (counts: BatchCounts) => boolean,
): Promise<void> {
  const deadlineMs = performance.now() + waitMaxMs;
  for (;;) {
    const { counts } = await millrace.batch(id);
    if (isReached(counts)) return;
    if (performance.now() > deadlineMs) throw new Error(`the batch stands still: ${JSON.stringify(counts)}`);
    await delay(pollEveryMs);
  }
}

/** Bytes of WAL of an update of every row, as many in a statement as receipts come in a request. */
async function updateRows(context: FigureContext, data: Data): Promise<number> {
  const database = await context.server.create('bench_rows');
  try {
    await createRowTable(database);
    await database.copy('message', data.tsv);
    await database.query('ALTER TABLE message ADD COLUMN state smallint NOT NULL DEFAULT 3');
    const ids = await database.query<{ id: string }>('SELECT id FROM message ORDER BY id');
    const meter = await database.startMeter();
    for (let start = 0; start < ids.length; start += together) {
      const some = ids.slice(start, start + together).map(({ id }) => id);
      await database.query('UPDATE message SET state = 4 WHERE id = ANY($1::bigint[])', [some]);
    }
    return (await meter.read()).walBytes;
  } finally {
    await database.drop();
  }
}

function measurementsOf(of: {
  full: Sides;
  paced: Sides;
  single: Sides;
  rows: number[];
  count: number;
  pace: number;
}): Measurement[] {
  const { full, paced, single, rows, count, pace } = of;
  const { without, withThem } = full;
  const perReceipt = withThem.map(({ walBytes }, run) => (walBytes - without[run]!.walBytes) / count);
  const perRow = rows.map((bytes) => bytes / count);
  const speeds = (sides: Side[]) => sides.map(({ perSecond }) => perSecond);
  return [
    {
      name: 'delivery with receipts / without',
      unit: '',
      values: ratios(speeds(withThem), speeds(without)),
      target: { reach: 0.9, better: 'higher' },
    },
    {
      name: `the same on a route of ${pace} messages a second`,
      unit: '',
      values: ratios(speeds(paced.withThem), speeds(paced.without)),
      target: { reach: 0.9, better: 'higher' },
    },
    {
      name: 'the same at full speed, one message a POST',
      unit: '',
      values: ratios(speeds(single.withThem), speeds(single.without)),
      target: { reach: 0.9, better: 'higher' },
    },
    {
      name: 'WAL of a receipt / of an updated row',
      unit: '',
      values: ratios(perReceipt, perRow),
      target: { reach: 1, aim: 0.5, better: 'lower' },
    },
    { name: 'WAL of a receipt', unit: 'bytes', values: perReceipt },
    { name: 'WAL of an updated row', unit: 'bytes', values: perRow },
    { name: 'delivery without receipts', unit: 'messages/s', values: speeds(without) },
    { name: 'delivery with receipts', unit: 'messages/s', values: speeds(withThem) },
    { name: 'without receipts, one message a POST', unit: 'messages/s', values: speeds(single.without) },
    { name: 'with receipts, one message a POST', unit: 'messages/s', values: speeds(single.withThem) },
    {
      name: 'from the last attempt to the last receipt',
      unit: 's',
      values: withThem.map(({ restSeconds }) => restSeconds),
    },
    {
      name: `from the last attempt to the last receipt, route of ${pace} a second`,
      unit: 's',
      values: paced.withThem.map(({ restSeconds }) => restSeconds),
    },
  ];
}

function notesOf(count: number): string[] {
  return [
    `${count} messages in POSTs of ${together}, and then one by one; the simulated provider posts a receipt of each, ${together} in a request, 200 ms after it took them:`,
    `${failShare * 100} % say failed. The figure counts only when every receipt was matched and none was unknown, late or of another end.`,
    'WAL of a receipt: what the flood with receipts wrote more than the one without: the stored receipts, their matching, the outcomes, the counters.',
    `Rows: the row table with a state, updated ${together} rows a statement by primary key.`,
  ];
}
