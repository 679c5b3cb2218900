import { setTimeout as delay } from 'node:timers/promises';
import { type OtherCustomers, type Phase, startOtherCustomers } from '../../src/cli/demo/other-customers.ts';
import { createClient } from '../../src/client/client.ts';
import { makeData } from '../data.ts';
import { type Figure, type FigureContext, type Measurement, sized } from '../figure.ts';
import { readLedger } from '../ledger.ts';
import { adminKey, startMillrace, startOthersSink } from '../millrace.ts';
import { floodRoute, putSingleRoute } from '../routes.ts';
import { shortDay } from '../short-day.ts';
import { percentile } from '../statistics.ts';

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
      const latenciesMs = await measure(context, limit.ratePerSecond);
      const p99Of = (phases: readonly Phase[]) =>
        percentile(
          phases.flatMap((phase) => latenciesMs[phase]),
          0.99,
        );
      const calmMs = p99Of(['calm']);
      const found = floodPhases.map(({ phases, when }) => `${when} ${Math.round(p99Of(phases))} ms`);
      context.say(
        `p99, route ${limit.name}: ${found.join(', ')}, without the flood ${Math.round(calmMs)} ms`,
      );
      for (const { phases, when } of floodPhases) {
        const floodMs = p99Of(phases);
        measurements.push(
          {
            name: `p99 while the flood is ${when} / without it, route ${limit.name}`,
            unit: 'ratio',
            values: [floodMs / calmMs],
            target: { reach: 2, aim: 1.1, better: 'lower' },
          },
          { name: `p99 while the flood is ${when}, route ${limit.name}`, unit: 'ms', values: [floodMs] },
        );
      }
      measurements.push({
        name: `p99 without the flood, route ${limit.name}`,
        unit: 'ms',
        values: [calmMs],
      });
    }
    return {
      measurements,
      notes: [
        `From the post to the arrival at the provider, 300 messages a second from 50 accounts. The flood is ${context.messages}`,
        'messages, sent by a process of its own and posted one by one. Measured are the whole of it, from its first byte to its last arrival; of that',
        'its acceptance, to the answer; and the rest, its delivery.',
      ],
    };
  },
};

const floodPhases = [
  { phases: ['flood', 'backlog'], when: 'accepted and delivered' },
  { phases: ['flood'], when: 'accepted' },
  { phases: ['backlog'], when: 'delivered' },
] as const;

/** Messages of the others that may have been answered and not have arrived: a second of them. */
const othersOnTheirWay = 300;
/** Half as long again as the slower route takes. */
const deliveryMaxMs = ({ messages }: FigureContext) => 60_000 + messages * 0.75;

async function measure(
  context: FigureContext,
  ratePerSecond: number | undefined,
): Promise<Record<Phase, number[]>> {
  const phaseMs = sized(context, { full: 40_000, short: 1_000 });
  const data = await makeData({ dir: context.dataDir, count: context.messages });
  const database = await context.server.create('bench_millrace');
  const sink = await startOthersSink();
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
    await Promise.all([sender.send(), delay(sized(context, { full: 0, short: 1_000 }))]);
    await sender.stop();
    others.enter('backlog');
    await waitDelivered(context, { sinkUrl: sink.url, others });
    const { latenciesMs, missing, refused } = await others.finish();
    context.say(
      `others: ${latenciesMs.calm.length}, ${latenciesMs.flood.length} and ${latenciesMs.backlog.length} arrived, ${refused} refused`,
    );
    if (missing > 0) throw new Error(`${missing} messages of the others did not arrive`);
    return latenciesMs;
  } finally {
    admin.close();
    await millrace.stop();
    await sink.stop();
    await database.drop();
  }
}

/** Until the provider has the flood beside what the others have sent by then. */
async function waitDelivered(
  context: FigureContext,
  { sinkUrl, others }: { sinkUrl: string; others: OtherCustomers },
): Promise<void> {
  const endMs = performance.now() + deliveryMaxMs(context);
  for (;;) {
    await delay(sized(context, { full: 5_000, short: 1_000 }));
    const wanted = context.messages + others.accepted();
    const { distinct } = await readLedger(sinkUrl);
    if (distinct >= wanted - othersOnTheirWay) return;
    if (performance.now() > endMs) throw new Error(`only ${distinct} of ${wanted} messages arrived in time`);
  }
}
