import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { makeData } from '../data.ts';
import type { Database } from '../database.ts';
import { type Figure, type FigureContext, sized } from '../figure.ts';
import { checkLedger } from '../ledger.ts';
import { type Millrace, startMillrace, startSink } from '../millrace.ts';
import { floodRoute, putBatchedRoute } from '../routes.ts';
import { percentile } from '../statistics.ts';

const roundTimeoutMs = 120_000;
const singlesAtOnce = 20;
const pollEveryMs = 50;

export const oldTransaction: Figure = {
  name: 'old-transaction',
  title: 'Delivery while a transaction is left idle in the database',
  needs: [],
  async run(context) {
    const idleSeconds = sized(context, { full: 900, short: 1 });
    const { before, after, deadRows } = await measure(context, idleSeconds);
    return {
      measurements: [
        { name: 'delivered before', unit: 'messages/s', values: before },
        { name: `delivered after ${idleSeconds} s of it`, unit: 'messages/s', values: after },
        {
          name: 'kept of the rate',
          unit: 'ratio',
          values: [percentile(after, 0.5) / percentile(before, 0.5)],
          target: { reach: 0.8, aim: 0.95, better: 'higher' },
        },
      ],
      notes: [
        'Rounds of a waiting batch, delivered in POSTs of 500 beside single messages, each a row of `pending` that is deleted;',
        `one REPEATABLE READ transaction is open from the end of the first rounds on. At the end ${deadRows} dead rows were left in it.`,
      ],
    };
  },
};

async function measure(
  context: FigureContext,
  idleSeconds: number,
): Promise<{ before: number[]; after: number[]; deadRows: number }> {
  const sizes = {
    batch: sized(context, { full: 200_000, short: 5_000 }),
    singles: sized(context, { full: 2_000, short: 100 }),
  };
  // Before the transaction begins, and at the end of its time.
  const roundsCompared = sized(context, { full: 5, short: 2 });
  const data = await makeData({ dir: context.dataDir, count: sizes.batch });
  const database = await context.server.create('bench_millrace');
  const sink = await startSink();
  const millrace = await startMillrace({ databaseUrl: database.url, dir: context.dir });
  const idle = new pg.Client({ connectionString: database.url });
  try {
    await putBatchedRoute(millrace, sink.url);
    await idle.connect();
    const round = () => deliver(millrace, { file: data.ndjson, ...sizes });
    await round();
    const before: number[] = [];
    while (before.length < roundsCompared) before.push(await round());
    await idle.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await idle.query('SELECT 1');
    const endMs = performance.now() + idleSeconds * 1_000;
    const during: number[] = [];
    while (during.length < roundsCompared || performance.now() < endMs) {
      during.push(await round());
      context.say(`round ${during.length} beside it: ${Math.round(during.at(-1)!)}/s`);
    }
    const rounds = 1 + before.length + during.length;
    await untilDelivered(database);
    await checkLedger(sink.url, rounds * (sizes.batch + sizes.singles));
    const [dead] = await database.query<{ rows: number }>(
      `SELECT n_dead_tup::int AS rows FROM pg_stat_user_tables WHERE relname = 'pending'`,
    );
    return { before, after: during.slice(-roundsCompared), deadRows: dead?.rows ?? 0 };
  } finally {
    await idle.end();
    await millrace.stop();
    await sink.stop();
    await database.drop();
  }
}

/** The last single messages may still be on their way when their batch is done. */
async function untilDelivered(database: Database): Promise<void> {
  const endMs = performance.now() + roundTimeoutMs;
  for (;;) {
    const [row] = await database.query<{ left: number }>('SELECT count(*)::int AS left FROM pending');
    if (row?.left === 0) return;
    if (performance.now() > endMs) throw new Error(`${row?.left} chunks were left`);
    await delay(pollEveryMs);
  }
}

/** Messages a second from the closing of a batch to its last outcome, single ones among them. */
async function deliver(
  millrace: Millrace,
  round: { file: string; batch: number; singles: number },
): Promise<number> {
  const batch = await millrace.uploadOpen(floodRoute, round.file);
  const startedMs = performance.now();
  await millrace.closeBatch(batch.id);
  await Promise.all([postSingles(millrace, round.singles), millrace.waitSent(batch.id, roundTimeoutMs)]);
  return (round.batch + round.singles) / ((performance.now() - startedMs) / 1_000);
}

async function postSingles(millrace: Millrace, count: number): Promise<void> {
  let left = count;
  const body = { to: '+31612345678', body: 'Your code is 123456', route: floodRoute };
  const post = async () => {
    while (left-- > 0) await millrace.call('POST', '/v1/messages', { body });
  };
  await Promise.all(Array.from({ length: singlesAtOnce }, post));
}
