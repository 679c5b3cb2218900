import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { makeData } from '../data.ts';
import { type Figure, type FigureContext, type Measurement, sized } from '../figure.ts';
import { createRowTable } from '../row-table.ts';

/** New ids in a millisecond of the UUIDv7 rows: a flood's pace, so that many share one. */
const idsPerMs = 100;
const startMs = Date.UTC(2026, 0, 1);

interface Key {
  name: string;
  type: 'bigint' | 'uuid';
  make(row: number): string;
}

const keys: readonly Key[] = [
  { name: 'bigint', type: 'bigint', make: String },
  { name: 'UUIDv7', type: 'uuid', make: (row) => uuid(7, startMs + Math.floor(row / idsPerMs)) },
  { name: 'UUIDv4', type: 'uuid', make: () => uuid(4) },
];

export const keyKinds: Figure = {
  name: 'keys',
  title: 'Rows with a bigint, a UUIDv7 and a UUIDv4 key: why ids look as they do',
  needs: ['psql'],
  async run(context) {
    const count = sized(context, { full: 2_000_000, short: 20_000 });
    const { tsv } = await makeData({ dir: context.dataDir, count });
    const measurements: Measurement[] = [];
    for (const key of keys) {
      const file = join(context.dir, `${key.name}.tsv`);
      await rekey({ from: tsv, to: file, key });
      const runs: Measured[] = [];
      for (let run = 0; run < context.runs; run++) runs.push(await insert({ context, key, file, count }));
      context.say(`${key.name}: ${Math.round(runs[0]!.rowsPerSecond)} rows/s`);
      measurements.push(
        {
          name: `${key.name}: insert`,
          unit: 'rows/s',
          values: runs.map(({ rowsPerSecond }) => rowsPerSecond),
        },
        { name: `${key.name}: WAL`, unit: 'bytes/row', values: runs.map(({ walBytes }) => walBytes / count) },
        {
          name: `${key.name}: index`,
          unit: 'bytes/row',
          values: runs.map(({ indexBytes }) => indexBytes / count),
        },
      );
    }
    return {
      measurements,
      notes: [`${count} rows by \\copy into the row table, its key's type and order changed.`],
    };
  },
};

interface Measured {
  rowsPerSecond: number;
  walBytes: number;
  indexBytes: number;
}

async function insert(options: {
  context: FigureContext;
  key: Key;
  file: string;
  count: number;
}): Promise<Measured> {
  const { context, key, file, count } = options;
  const database = await context.server.create('bench_rows');
  try {
    await createRowTable(database, key.type);
    const meter = await database.startMeter();
    const tookMs = await database.copy('message', file);
    const { walBytes } = await meter.read();
    const [size] = await database.query<{ bytes: string }>(
      "SELECT pg_relation_size('message_pkey') AS bytes",
    );
    return { rowsPerSecond: (count / tookMs) * 1_000, walBytes, indexBytes: Number(size?.bytes) };
  } finally {
    await database.drop();
  }
}

/** The same rows under another key. */
async function rekey({ from, to, key }: { from: string; to: string; key: Key }): Promise<void> {
  const lines = createInterface({ input: createReadStream(from), crlfDelay: Number.POSITIVE_INFINITY });
  async function* rows() {
    let row = 0;
    let text = '';
    for await (const line of lines) {
      text += `${key.make(++row)}${line.slice(line.indexOf('\t'))}\n`;
      if (text.length < 1 << 18) continue;
      yield text;
      text = '';
    }
    yield text;
  }
  await pipeline(Readable.from(rows()), createWriteStream(to));
}

/** RFC 9562: random bits, the version, the variant, and in version 7 the milliseconds in front. */
function uuid(version: 4 | 7, ms?: number): string {
  const bytes = randomBytes(16);
  if (ms !== undefined) bytes.writeUIntBE(ms, 0, 6);
  bytes[6] = (bytes[6]! & 0x0f) | (version << 4);
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
