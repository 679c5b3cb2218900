import { openDatabase } from '../../src/store/database.ts';
import { fillYear } from '../../test/statistics/fill-year.ts';
import type { Figure, Measurement } from '../figure.ts';
import { type Millrace, startMillrace } from '../millrace.ts';
import { percentile } from '../statistics.ts';

const accounts = 100;
const reads = 50;
const dayMs = 86_400_000;
const charts = [
  { what: 'the sum of all accounts', query: '', points: 365 },
  { what: 'one account', query: '&account=1', points: 365 },
  { what: 'the total of each account', query: '&by=account&total=true', points: accounts },
  { what: 'each account by itself', query: '&by=account', points: 365 * accounts },
];

export const statisticsOfAYear: Figure = {
  name: 'statistics',
  title: 'A year of statistics of 100 accounts, by the day',
  needs: [],
  async run(context) {
    const database = await context.server.create('bench_millrace');
    const millrace = await startMillrace({ databaseUrl: database.url, dir: context.dir });
    const untilMs = Math.floor(Date.now() / dayMs) * dayMs;
    const store = openDatabase({ url: database.url, poolSize: 1, name: 'year', statementTimeoutMs: 120_000 });
    try {
      await fillYear(store, { accounts, untilMs });
      const measurements: Measurement[] = [];
      for (const { what, query, points } of charts) {
        const tookMs = await read(millrace, { query, points, sinceMs: untilMs - 365 * dayMs, untilMs });
        const target = { reach: 100, better: 'lower' } as const;
        measurements.push({ name: `${what}, p99`, unit: 'ms', values: [percentile(tookMs, 0.99)], target });
        measurements.push({ name: `${what}, median`, unit: 'ms', values: [percentile(tookMs, 0.5)] });
      }
      return {
        measurements,
        notes: [
          `${reads} reads of each kind, one after the other, by HTTP, of 365 days of ${accounts} accounts; the table has five times as many rows more, of batches and tags.`,
          `Each account by itself is ${365 * accounts} points, some 10 MB of JSON.`,
        ],
      };
    } finally {
      await store.close();
      await millrace.stop();
      await database.drop();
    }
  },
};

async function read(
  millrace: Millrace,
  {
    query,
    points: wanted,
    sinceMs,
    untilMs,
  }: { query: string; points: number; sinceMs: number; untilMs: number },
): Promise<number[]> {
  const tookMs: number[] = [];
  const until = new Date(untilMs).toISOString();
  for (let time = 0; time < reads; time++) {
    // The same days by another URL: equal reads of one moment are made once.
    const since = new Date(sinceMs + time).toISOString();
    const startedMs = performance.now();
    const path = `/v1/statistics?step=day&since=${since}&until=${until}${query}`;
    const { series } = await millrace.call<{ series: { points: unknown[] }[] }>('GET', path);
    tookMs.push(performance.now() - startedMs);
    const points = series.reduce((sum, { points: some }) => sum + some.length, 0);
    if (points !== wanted) throw new Error(`the answer has ${points} points`);
  }
  return tookMs;
}
