import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startEmbedded } from '../../src/embedded/start-embedded.ts';
import { freePort } from '../../test/support/free-port.ts';
import { makeData } from '../data.ts';
import { type Figure, type FigureContext, sized } from '../figure.ts';
import { checkLedger, readLedger } from '../ledger.ts';
import { type Millrace, startMillrace, startSink } from '../millrace.ts';
import { floodRoute, putBatchedRoute } from '../routes.ts';

const messagesMax = 1_000_000;
const waitMaxMs = 1_200_000;
const pollEveryMs = 100;

interface Taken {
  /** Messages a second that reached the provider, before the events database was stopped and while it was. */
  before: number;
  away: number;
  /** From when it was back to when the statistics held everything. */
  behindSeconds: number;
}

export const eventsDatabase: Figure = {
  name: 'events-database',
  title: 'A flood during which the events database is stopped for a minute',
  needs: [],
  async run(context) {
    const count = Math.min(context.messages, messagesMax);
    const awayMs = sized(context, { full: 60_000, short: 3_000 });
    // It lasts a minute longer than that.
    const ratePerSecond = Math.round(count / ((2 * awayMs) / 1_000));
    const taken: Taken[] = [];
    for (let run = 0; run < context.runs; run++) {
      taken.push(await flood(context, { count, awayMs, ratePerSecond }));
    }
    return {
      measurements: [
        {
          name: 'rate while the events database is away / before',
          unit: '',
          values: taken.map(({ away, before }) => away / before),
          target: { reach: 0.95, better: 'higher' },
        },
        { name: 'rate before', unit: 'messages/s', values: taken.map(({ before }) => before) },
        {
          name: 'from its return to complete statistics',
          unit: 's',
          values: taken.map(({ behindSeconds }) => behindSeconds),
        },
      ],
      notes: [
        `${count} messages in POSTs of 500 on a route limited to ${ratePerSecond} a second; the events database, a PostgreSQL of its own, is stopped for ${awayMs / 1_000} s amid them.`,
        'The figure counts only when afterwards the statistics say of accepted, attempts and sent what the ledger of the provider says.',
      ],
    };
  },
};

async function flood(
  context: FigureContext,
  { count, awayMs, ratePerSecond }: { count: number; awayMs: number; ratePerSecond: number },
): Promise<Taken> {
  const data = await makeData({ dir: context.dataDir, count });
  const database = await context.server.create('bench_millrace');
  const place = { dataDir: mkdtempSync(join(context.dir, 'events-')), port: await freePort() };
  let events = await startEmbedded(place);
  const sink = await startSink();
  const args = ['--events-database', events.url];
  const millrace = await startMillrace({ databaseUrl: database.url, dir: context.dir, args });
  try {
    await putBatchedRoute(millrace, sink.url, ratePerSecond);
    const { id } = await millrace.uploadOpen(floodRoute, data.ndjson);
    await millrace.closeBatch(id);
    await delay(awayMs / 4);
    const before = await rateOver(sink.url, awayMs / 4);
    await events.stop();
    const away = await rateOver(sink.url, awayMs);
    events = await startEmbedded(place);
    const backMs = performance.now();
    await millrace.waitSent(id, waitMaxMs);
    const sentMs = performance.now();
    await checkLedger(sink.url, count);
    await untilCounted(millrace, count);
    return { before, away, behindSeconds: (performance.now() - Math.max(backMs, sentMs)) / 1_000 };
  } finally {
    await millrace.stop();
    await sink.stop();
    await events.stop();
    await database.drop();
  }
}

async function rateOver(sinkUrl: string, ms: number): Promise<number> {
  const startedMs = performance.now();
  const { received } = await readLedger(sinkUrl);
  await delay(ms);
  const now = await readLedger(sinkUrl);
  return (now.received - received) / ((performance.now() - startedMs) / 1_000);
}

async function untilCounted(millrace: Millrace, count: number): Promise<void> {
  const deadlineMs = performance.now() + waitMaxMs;
  for (;;) {
    const sums = await sumsOf(millrace);
    if (sums.every((sum) => sum === count)) return;
    if (performance.now() > deadlineMs) throw new Error(`the statistics say ${sums} of ${count} messages`);
    await delay(pollEveryMs);
  }
}

/** Accepted, attempts and sent; nothing while the events database does not answer yet. */
async function sumsOf(millrace: Millrace): Promise<number[]> {
  type Point = Record<'accepted' | 'attempts' | 'sent', number>;
  const path = '/v1/statistics?step=day';
  const answer = millrace.call<{ series: { points: Point[] }[] }>('GET', path);
  const { series } = await answer.catch(() => ({ series: [] as { points: Point[] }[] }));
  const points = series.flatMap(({ points: some }) => some);
  return (['accepted', 'attempts', 'sent'] as const).map((name) =>
    points.reduce((sum, point) => sum + point[name], 0),
  );
}
