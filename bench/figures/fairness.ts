import { setTimeout as delay } from 'node:timers/promises';
import { startOtherCustomers } from '../../src/cli/demo/other-customers.ts';
import { createClient } from '../../src/client/client.ts';
import { makeData } from '../data.ts';
import { type Figure, type FigureContext, type Measurement, sized } from '../figure.ts';
import { adminKey, startMillrace, startSink } from '../millrace.ts';
import { floodRoute, putSingleRoute } from '../routes.ts';
import { shortDay } from '../short-day.ts';
import { percentile } from '../statistics.ts';

/** Single posts that the provider can list: more than arrive between two looks at it. */
const arrivalsKept = 1_000_000;
const limits: readonly { name: string; ratePerSecond?: number }[] = [
  { name: 'limited to 2,000/s', ratePerSecond: 2_000 },
  { name: 'unlimited' },
];

/** The promise that a flood of one account leaves the others as they were, though they share its route. */
export const fairness: Figure = {
  name: 'fairness',
  title: 'Single messages of 50 accounts beside a flood of another, on the same route',
  needs: [],
  async run(context) {
    const measurements: Measurement[] = [];
    for (const limit of limits) {
      const { calmMs, floodMs } = await measure(context, limit.ratePerSecond);
      const p99 = { calm: percentile(calmMs, 0.99), flood: percentile(floodMs, 0.99) };
      measurements.push(
        {
          name: `p99 with the flood / without, route ${limit.name}`,
          unit: 'ratio',
          values: [p99.flood / p99.calm],
          target: { reach: 2, aim: 1.1, better: 'lower' },
        },
        { name: `p99 without the flood, route ${limit.name}`, unit: 'ms', values: [p99.calm] },
        { name: `p99 with the flood, route ${limit.name}`, unit: 'ms', values: [p99.flood] },
      );
    }
    return {
      measurements,
      notes: [
        `From the post to the arrival at the provider, 300 messages a second from 50 accounts. The flood is ${context.messages}`,
        'messages, sent by a process of its own and posted one by one; its acceptance falls into the time that is measured.',
      ],
    };
  },
};

async function measure(
  context: FigureContext,
  ratePerSecond: number | undefined,
): Promise<{ calmMs: number[]; floodMs: number[] }> {
  const phaseMs = sized(context, { full: 40_000, short: 1_000 });
  const data = await makeData({ dir: context.dataDir, count: context.messages });
  const database = await context.server.create('bench_millrace');
  const sink = await startSink(['--arrivals', String(arrivalsKept)]);
  const millrace = await startMillrace({ databaseUrl: database.url, dir: context.dir });
  const admin = createClient({ url: millrace.url, key: adminKey, userAgent: 'millrace-bench' });
  try {
    await putSingleRoute(millrace, { url: sink.url, ...(ratePerSecond !== undefined && { ratePerSecond }) });
    const others = await startOtherCustomers({
      admin,
      url: millrace.url,
      route: floodRoute,
      sinkUrl: sink.url,
      ...(context.short && shortDay),
    });
    const sender = await millrace.startSender({ route: floodRoute, file: data.ndjson });
    await delay(sized(context, { full: 3_000, short: 500 }));
    others.enter('calm');
    await delay(phaseMs);
    others.enter('flood');
    await Promise.all([sender.send(), delay(phaseMs)]);
    await sender.stop();
    const { latenciesMs, missing, refused } = await others.finish();
    context.say(
      `others: ${latenciesMs.calm.length} and ${latenciesMs.flood.length} arrived, ${refused} refused`,
    );
    if (missing > 0) throw new Error(`${missing} messages of the others did not arrive`);
    return { calmMs: latenciesMs.calm, floodMs: latenciesMs.flood };
  } finally {
    admin.close();
    await millrace.stop();
    await sink.stop();
    await database.drop();
  }
}
