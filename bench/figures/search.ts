import { setTimeout as delay } from 'node:timers/promises';
import { makeData } from '../data.ts';
import type { Figure } from '../figure.ts';
import { startMillrace } from '../millrace.ts';
import { floodRoute, putIdleRoute } from '../routes.ts';
import { percentile } from '../statistics.ts';

/** "A second after acceptance": what the answer did not bring about must be there by then. */
const settleMs = 1_000;
const searches = 200;

export const search: Figure = {
  name: 'search',
  title: 'Search by recipient among the flood, a second after acceptance',
  needs: [],
  async run(context) {
    const data = await makeData({ dir: context.dataDir, count: context.messages });
    const database = await context.server.create('bench_millrace');
    const millrace = await startMillrace({ databaseUrl: database.url, dir: context.dir });
    try {
      await putIdleRoute(millrace);
      await millrace.uploadOneShot({ route: floodRoute, file: data.ndjson, start: 'close' });
      await delay(settleMs);
      const every = Math.max(1, Math.floor(data.samples.length / searches));
      const tookMs: number[] = [];
      for (const sample of data.samples.filter((_, index) => index % every === 0)) {
        const startedMs = performance.now();
        await millrace.find(sample);
        tookMs.push(performance.now() - startedMs);
      }
      return {
        measurements: [
          {
            name: 'search, p99',
            unit: 'ms',
            values: [percentile(tookMs, 0.99)],
            target: { reach: 100, aim: 30, better: 'lower' },
          },
          { name: 'search, median', unit: 'ms', values: [percentile(tookMs, 0.5)] },
          { name: 'first search', unit: 'ms', values: [tookMs[0]!] },
        ],
        notes: [
          `${tookMs.length} recipients, each searched once, one after the other, among ${data.count} messages.`,
        ],
      };
    } finally {
      await millrace.stop();
      await database.drop();
    }
  },
};
