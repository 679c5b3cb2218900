import { makeData } from '../data.ts';
import { type Figure, type FigureContext, sized } from '../figure.ts';
import { checkLedger } from '../ledger.ts';
import { startMillrace, startSink } from '../millrace.ts';
import { floodRoute, putBatchedRoute } from '../routes.ts';

const drainTimeoutMs = 600_000;

export const deliverBatch: Figure = {
  name: 'deliver-batch',
  title: 'Delivery through batched POSTs of 500',
  needs: [],
  async run(context) {
    const count = sized(context, { full: 2_000_000, short: 20_000 });
    const perSecond: number[] = [];
    for (let run = 0; run < context.runs; run++) {
      perSecond.push(await deliver(context, count));
      context.say(`run ${run + 1}: ${Math.round(perSecond[run]!)}/s`);
    }
    return {
      measurements: [
        {
          name: 'delivered',
          unit: 'messages/s',
          values: perSecond,
          target: { reach: 50_000, aim: 100_000, better: 'higher' },
        },
      ],
      notes: [
        `${count} messages, from the closing of a waiting batch to the last recorded outcome; the simulated provider,`,
        'which reads every id into an exact ledger, and PostgreSQL share the machine. The ledger must show each message once.',
      ],
    };
  },
};

async function deliver(context: FigureContext, count: number): Promise<number> {
  const data = await makeData({ dir: context.dataDir, count });
  const database = await context.server.create('bench_millrace');
  const sink = await startSink();
  const millrace = await startMillrace({ databaseUrl: database.url, dir: context.dir });
  try {
    await putBatchedRoute(millrace, sink.url);
    const batch = await millrace.uploadOpen(floodRoute, data.ndjson);
    await context.server.checkpoint();
    const startedMs = performance.now();
    await millrace.closeBatch(batch.id);
    await millrace.waitSent(batch.id, drainTimeoutMs);
    const seconds = (performance.now() - startedMs) / 1_000;
    await checkLedger(sink.url, count);
    return count / seconds;
  } finally {
    await millrace.stop();
    await sink.stop();
    await database.drop();
  }
}
