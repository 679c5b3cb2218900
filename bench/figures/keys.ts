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
    const sides: Side[] = [];
    for (const key of keys)
      sides.push({ key, files: await rekey({ dir: context.dir, tsv, key, count }), measured: [] });
    for (let run = 0; run < context.runs; run++) {
      for (const { key, files, measured } of sides) {
        const result = await insert({ context, key, files, count: count / 2 });
        measured.push(result);
        context.say(`${key.name}: ${Math.round(result.rowsPerSecond)} rows/s`);
      }
    }
    const measurements = sides.flatMap(({ key, measured }): Measurement[] => [
      {
        name: `${key.name}: insert`,
        unit: 'rows/s',
        values: measured.map(({ rowsPerSecond }) => rowsPerSecond),
      },
      { name: `${key.name}: WAL`, unit: 'bytes/row', values: measured.map(({ walBytes }) => walBytes) },
      { name: `${key.name}: index`, unit: 'bytes/row', values: measured.map(({ indexBytes }) => indexBytes) },
    ]);
    return {
      measurements,
      notes: [
        `${count / 2} rows by \\copy into a row table that holds as many, after a CHECKPOINT: only key and type differ.`,
      ],
    };
  },
};

interface Side {
  key: Key;
  files: [string, string];
  measured: Measured[];
}

interface Measured {
  rowsPerSecond: number;
  walBytes: number;
  indexBytes: number;
}

/** The second half is measured: a table that is new fits in memory and in its first checkpoint, whatever its key. */
async function insert(options: {
  context: FigureContext;
  key: Key;
  files: [string, string];
  count: number;
}): Promise<Measured> {
  const { context, key, files, count } = options;
  const database = await context.server.create('bench_rows');
  try {
    await createRowTable(database, key.type);
    await database.copy('message', files[0]);
    const meter = await database.startMeter();
    const tookMs = await database.copy('message', files[1]);
    const { walBytes } = await meter.read();
    const [size] = await database.query<{ bytes: string }>(
      "SELECT pg_relation_size('message_pkey') AS bytes",
    );
    return {
      rowsPerSecond: (count / tookMs) * 1_000,
      walBytes: walBytes / count,
      indexBytes: Number(size?.bytes) / (2 * count),
    };
  } finally {
    await database.drop();
  }
}

/** The same rows under another key, in two halves. */
async function rekey(options: {
  dir: string;
  tsv: string;
  key: Key;
  count: number;
}): Promise<[string, string]> {
  const { dir, tsv, key, count } = options;
  const files: [string, string] = [join(dir, `${key.name}-1.tsv`), join(dir, `${key.name}-2.tsv`)];
  const input = createInterface({ input: createReadStream(tsv), crlfDelay: Number.POSITIVE_INFINITY });
  const lines = input[Symbol.asyncIterator]();
  let row = 0;
  async function* half(end: number) {
    for (let text = ''; row < end; text = '') {
      while (row < end && text.length < 1 << 18) {
        const { value } = await lines.next();
        text += `${key.make(++row)}${value.slice(value.indexOf('\t'))}\n`;
      }
      yield text;
    }
  }
  await pipeline(Readable.from(half(count / 2)), createWriteStream(files[0]));
  await pipeline(Readable.from(half(count)), createWriteStream(files[1]));
  return files;
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
