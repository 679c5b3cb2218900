import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { stateNumber } from '../../src/message/state.ts';
import { makeData } from '../data.ts';
import type { Database } from '../database.ts';
import type { Figure, FigureContext, FigureResult, Measurement } from '../figure.ts';
import { checkLedger } from '../ledger.ts';
import { type Batch, type Millrace, startMillrace, startSink } from '../millrace.ts';
import { floodRoute, putBatchedRoute } from '../routes.ts';

const lookEveryMs = 10;
/** Without an arrival for as long, nothing comes any more. */
const stillMs = 1_500;
const waitMaxMs = 600_000;
/** Of a short run's deliveries, pauses left out. */
const shortSeconds = 3;
const withinASecond = { reach: 1, better: 'lower' as const };

/** The promise that a hand on the lever is felt at once, however long the batch. */
export const steering: Figure = {
  name: 'steering',
  title: 'Pause, resume, cancel and replay in the middle of a long batch',
  needs: [],
  async run(context) {
    const database = await context.server.create('bench_millrace');
    const sink = await startSink();
    const millrace = await startMillrace({ databaseUrl: database.url, dir: context.dir });
    try {
      // A short batch would be through before anybody could pause it.
      await putBatchedRoute(millrace, sink.url, context.short ? context.messages / shortSeconds : undefined);
      return await measure(context, { millrace, database, sinkUrl: sink.url });
    } finally {
      await millrace.stop();
      await sink.stop();
      await database.drop();
    }
  },
};

interface Sides {
  millrace: Millrace;
  database: Database;
  sinkUrl: string;
}

async function measure(
  { messages, dataDir }: FigureContext,
  { millrace, database, sinkUrl }: Sides,
): Promise<FigureResult> {
  const data = await makeData({ dir: dataDir, count: messages });
  const { id } = await millrace.uploadOpen(floodRoute, data.ndjson);
  await millrace.closeBatch(id);
  const post = (path: string, body = {}) => millrace.call('POST', path, { body });
  const batchPath = `/v1/batches/${id}`;
  const measurements: Measurement[] = [];
  const note = (name: string, seconds: number) =>
    measurements.push({ name, unit: 's', values: [seconds], target: withinASecond });

  await untilReceived(sinkUrl, messages * 0.1);
  for (const [name, path] of [
    ['batch', batchPath],
    ['route', `/v1/routes/${floodRoute}`],
  ] as const) {
    note(
      `last arrival after a pause of the ${name}`,
      await lastArrival(sinkUrl, () => post(`${path}/pause`)),
    );
    const before = await received(sinkUrl);
    const resumedMs = performance.now();
    await post(`${path}/resume`);
    await untilReceived(sinkUrl, before + 1);
    note(`first arrival after its resume`, (performance.now() - resumedMs) / 1_000);
    await untilReceived(sinkUrl, before + messages * 0.1);
  }
  const meter = await database.startMeter();
  note('last arrival after the cancel', await lastArrival(sinkUrl, () => post(`${batchPath}/cancel`)));
  const { counts } = await untilDone(millrace, id);
  const { walBytes } = await meter.read();
  const canceled = counts.canceled;
  const [written] = await database.query<{ rows: string }>(
    'SELECT count(*) AS rows FROM outcome WHERE batch = $1 AND state = $2',
    [id, stateNumber.canceled],
  );
  await post(`${batchPath}/replay`, { states: ['canceled'] });
  await untilDone(millrace, id);
  await checkLedger(sinkUrl, messages);
  return {
    measurements: [
      ...measurements,
      {
        name: 'rows written per 1,000 canceled',
        unit: 'rows',
        values: [(Number(written!.rows) / canceled) * 1_000],
      },
      { name: 'WAL per canceled message', unit: 'bytes', values: [walBytes / canceled] },
    ],
    notes: [
      `A batch of ${messages} in POSTs of 500, from the call to what the provider sees. ${canceled} were canceled; then they`,
      'were replayed, and the ledger holds every message of the batch once.',
    ],
  };
}

/** Seconds from a command to the last message that the provider received after it. */
async function lastArrival(sinkUrl: string, command: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await command();
  let [count, atMs] = [await received(sinkUrl), performance.now()];
  while (performance.now() - atMs < stillMs) {
    if (performance.now() - startedMs > waitMaxMs) throw new Error('messages kept coming');
    await delay(lookEveryMs);
    const now = await received(sinkUrl);
    if (now > count) [count, atMs] = [now, performance.now()];
  }
  return (atMs - startedMs) / 1_000;
}

async function untilReceived(sinkUrl: string, count: number): Promise<void> {
  const deadlineMs = performance.now() + waitMaxMs;
  while ((await received(sinkUrl)) < count) {
    if (performance.now() > deadlineMs) throw new Error(`${count} messages did not arrive`);
    await delay(lookEveryMs);
  }
}

async function received(sinkUrl: string): Promise<number> {
  const { body } = await request(new URL('/ledger', sinkUrl));
  return ((await body.json()) as { received: number }).received;
}

/** Nothing of the batch is left to do. */
async function untilDone(millrace: Millrace, id: string): Promise<Batch> {
  const deadlineMs = performance.now() + waitMaxMs;
  for (;;) {
    const batch = await millrace.batch(id);
    // A moment after the counts say so; what was canceled can be replayed from then on.
    if (batch.doneAt !== null) return batch;
    if (performance.now() > deadlineMs) {
      throw new Error(`${batch.counts.queued} messages of the batch are still queued`);
    }
    await delay(100);
  }
}
