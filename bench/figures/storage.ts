import { type Data, makeData } from '../data.ts';
import { type Figure, type FigureContext, type Measurement, ratios } from '../figure.ts';
import { checkLedger } from '../ledger.ts';
import { startMillrace, startSink } from '../millrace.ts';
import { floodRoute, putBatchedRoute } from '../routes.ts';
import { createRowTable } from '../row-table.ts';

const drainTimeoutMs = 1_200_000;

interface Written {
  walBytes: number;
  databaseBytes: number;
}

export const storage: Figure = {
  name: 'storage',
  title: 'WAL and database bytes per message, filters and indexes included, against the row table',
  needs: ['psql'],
  async run(context) {
    const data = await makeData({ dir: context.dataDir, count: context.messages });
    const rows = perMessage(await writeRows(context, data), data);
    const { accepted, delivered } = await writeMillrace(context, data);
    const after = { accept: perMessage(accepted, data), delivery: perMessage(delivered, data) };
    const wal = { reach: 1 / 5, aim: 1 / 10, better: 'lower' } as const;
    const bytes = { reach: 1 / 4, aim: 1 / 8, better: 'lower' } as const;
    return {
      measurements: [
        {
          name: 'WAL after acceptance / rows',
          unit: '',
          values: ratios([after.accept.walBytes], [rows.walBytes]),
          target: wal,
        },
        {
          name: 'database after acceptance / rows',
          unit: '',
          values: ratios([after.accept.databaseBytes], [rows.databaseBytes]),
          target: bytes,
        },
        {
          name: 'WAL after delivery / rows',
          unit: '',
          values: ratios([after.delivery.walBytes], [rows.walBytes]),
          target: wal,
        },
        {
          name: 'database after delivery / rows',
          unit: '',
          values: ratios([after.delivery.databaseBytes], [rows.databaseBytes]),
          target: bytes,
        },
        ...describe('row table', rows),
        ...describe('Millrace after acceptance', after.accept),
        ...describe('Millrace after delivery', after.delivery),
      ],
      notes: [
        `${data.count} messages; each side begins with a CHECKPOINT; sizes are pg_database_size less that of the empty schema.`,
        'The row table holds the messages and no word of what became of them; Millrace after delivery holds every outcome too.',
      ],
    };
  },
};

async function writeRows(context: FigureContext, data: Data): Promise<Written> {
  const database = await context.server.create('bench_rows');
  try {
    await createRowTable(database);
    const meter = await database.startMeter();
    await database.copy('message', data.tsv);
    return await meter.read();
  } finally {
    await database.drop();
  }
}

async function writeMillrace(
  context: FigureContext,
  data: Data,
): Promise<{ accepted: Written; delivered: Written }> {
  const database = await context.server.create('bench_millrace');
  const sink = await startSink();
  const millrace = await startMillrace({ databaseUrl: database.url, dir: context.dir });
  try {
    await putBatchedRoute(millrace, sink.url);
    const meter = await database.startMeter();
    const batch = await millrace.uploadOpen(floodRoute, data.ndjson);
    const accepted = await meter.read();
    context.say(`accepted: ${accepted.walBytes} bytes of WAL, ${accepted.databaseBytes} of database`);
    await millrace.closeBatch(batch.id);
    await millrace.waitSent(batch.id, drainTimeoutMs);
    await checkLedger(sink.url, data.count);
    return { accepted, delivered: await meter.read() };
  } finally {
    await millrace.stop();
    await sink.stop();
    await database.drop();
  }
}

function perMessage({ walBytes, databaseBytes }: Written, { count }: Data): Written {
  return { walBytes: walBytes / count, databaseBytes: databaseBytes / count };
}

function describe(side: string, { walBytes, databaseBytes }: Written): Measurement[] {
  return [
    { name: `${side}: WAL`, unit: 'bytes/message', values: [walBytes] },
    { name: `${side}: database`, unit: 'bytes/message', values: [databaseBytes] },
  ];
}
