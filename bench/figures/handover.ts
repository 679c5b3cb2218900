import { setTimeout as delay } from 'node:timers/promises';
import { startOtherCustomers } from '../../src/cli/demo/other-customers.ts';
import { createClient } from '../../src/client/client.ts';
import { type Figure, type FigureContext, sized } from '../figure.ts';
import { adminKey, startMillrace, startOthersSink } from '../millrace.ts';
import { floodRoute, putSingleRoute } from '../routes.ts';
import { shortDay } from '../short-day.ts';
import { percentile } from '../statistics.ts';

/** The promise that a server may be stopped, and come back, without anybody's waiting for it. */
export const handover: Figure = {
  name: 'handover',
  title: 'Single messages of 50 accounts while one of two servers is stopped and started again',
  needs: [],
  async run(context) {
    const { calmMs, movedMs } = await measure(context);
    return {
      measurements: [
        {
          name: 'longest way of a message through a stop and a start',
          unit: 's',
          values: [Math.max(...movedMs) / 1_000],
          target: { reach: 1, better: 'lower' },
        },
        { name: 'p99 through a stop and a start', unit: 'ms', values: [percentile(movedMs, 0.99)] },
        { name: 'p99 before', unit: 'ms', values: [percentile(calmMs, 0.99)] },
      ],
      notes: [
        'From the post to the arrival at the provider, 300 messages a second from 50 accounts, all posted to the server that',
        'stays. The other one, which owns half of the shards, gets SIGTERM, ends, and is started again.',
      ],
    };
  },
};

async function measure(context: FigureContext): Promise<{ calmMs: number[]; movedMs: number[] }> {
  const calmForMs = sized(context, { full: 20_000, short: 1_000 });
  // Shards are spread by then, and each worker has its share of the route.
  const settleMs = sized(context, { full: 5_000, short: 1_000 });
  const rounds = sized(context, { full: 3, short: 1 });
  const database = await context.server.create('bench_millrace');
  const sink = await startOthersSink();
  const start = () => startMillrace({ databaseUrl: database.url, dir: context.dir });
  const millrace = await start();
  let other = await start();
  const admin = createClient({ url: millrace.url, key: adminKey, userAgent: 'millrace-bench' });
  try {
    await putSingleRoute(millrace, { url: sink.url });
    const others = await startOtherCustomers({
      ...{ admin, url: millrace.url, route: floodRoute, sinkUrl: sink.url },
      ...(context.short && shortDay),
    });
    await delay(settleMs);
    others.enter('calm');
    await delay(calmForMs);
    others.enter('flood');
    for (let round = 0; round < rounds; round++) {
      await other.stop();
      await delay(settleMs);
      other = await start();
      await delay(settleMs);
    }
    const { latenciesMs, missing, refused } = await others.finish();
    context.say(`${latenciesMs.calm.length} and ${latenciesMs.flood.length} arrived, ${refused} refused`);
    if (missing > 0) throw new Error(`${missing} messages did not arrive`);
    return { calmMs: latenciesMs.calm, movedMs: latenciesMs.flood };
  } finally {
    admin.close();
    await millrace.stop();
    await other.stop();
    await sink.stop();
    await database.drop();
  }
}
