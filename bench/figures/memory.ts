import { makeData } from '../data.ts';
import type { Figure } from '../figure.ts';
import { checkLedger } from '../ledger.ts';
import { sampleMemory } from '../memory.ts';
import { startMillrace, startSink } from '../millrace.ts';
import { floodRoute, putBatchedRoute } from '../routes.ts';

const drainTimeoutMs = 1_200_000;
const megabyte = 1 << 20;

export const memory: Figure = {
  name: 'memory',
  title: 'Resident memory through the whole flood, all Millrace processes summed, PostgreSQL apart',
  needs: [],
  async run(context) {
    const data = await makeData({ dir: context.dataDir, count: context.messages });
    const database = await context.server.create('bench_millrace');
    const sink = await startSink();
    const millrace = await startMillrace({ databaseUrl: database.url, dir: context.dir });
    try {
      await putBatchedRoute(millrace, sink.url);
      const sampler = sampleMemory(millrace.pid);
      const batch = await millrace.uploadOneShot({ route: floodRoute, file: data.ndjson, start: 'now' });
      await millrace.waitSent(batch.id, drainTimeoutMs);
      const peak = await sampler.stop();
      await checkLedger(sink.url, data.count);
      return {
        measurements: [
          {
            name: 'peak resident',
            unit: 'MiB',
            values: [peak.residentBytes / megabyte],
            target: { reach: 400, aim: 250, better: 'lower' },
          },
          { name: 'peak proportional', unit: 'MiB', values: [peak.proportionalBytes / megabyte] },
        ],
        notes: [
          `${data.count} messages uploaded and delivered, 500 to a POST, both at once; ${peak.samples} samples, five a second.`,
        ],
      };
    } finally {
      await millrace.stop();
      await sink.stop();
      await database.drop();
    }
  },
};
