import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { startOtherCustomers } from '../../src/cli/demo/other-customers.ts';
import { createClient } from '../../src/client/client.ts';
import { callbackRouteName } from '../../src/message/webhook.ts';
import { type Data, makeData } from '../data.ts';
import { type Figure, type FigureContext, type Measurement, ratios, sized } from '../figure.ts';
import { readLedger } from '../ledger.ts';
import { adminKey, type Millrace, startMillrace, startOthersSink, startSink } from '../millrace.ts';
import { floodRoute, putSingleRoute } from '../routes.ts';
import { shortDay } from '../short-day.ts';
import { percentile } from '../statistics.ts';

const floodMax = 300_000;
const waitMaxMs = 1_200_000;
const pollEveryMs = 50;

interface Side {
  /** Of the flood, from the closing of its batch to the last durable outcome. */
  perSecond: number;
  othersP99Ms: number;
  /** From the last outcome to the last callback's arrival. */
  restSeconds: number;
}

export const callbacks: Figure = {
  name: 'callbacks',
  title: 'A flood of which its account is told message by message, against the same flood untold',
  needs: [],
  async run(context) {
    const count = Math.min(context.messages, floodMax);
    const data = await makeData({ dir: context.dataDir, count });
    const untold: Side[] = [];
    const told: Side[] = [];
    for (let run = 0; run < context.runs; run++) {
      const sides = [
        async () => untold.push(await deliver(context, data, false)),
        async () => told.push(await deliver(context, data, true)),
      ];
      for (const side of run % 2 === 0 ? sides : sides.reverse()) await side();
      context.say(
        `run ${run + 1}: ${told[run]!.perSecond | 0}/s told, ${untold[run]!.perSecond | 0}/s untold`,
      );
    }
    return { measurements: measurementsOf(told, untold), notes: notesOf(count) };
  },
};

async function deliver(context: FigureContext, data: Data, tells: boolean): Promise<Side> {
  const database = await context.server.create('bench_millrace');
  const sink = await startOthersSink();
  const endpoint = await startSink();
  const millrace = await startMillrace({ databaseUrl: database.url, dir: context.dir });
  const admin = createClient({ url: millrace.url, key: adminKey, userAgent: 'millrace-bench' });
  try {
    await putSingleRoute(millrace, { url: sink.url });
    if (tells) await register(millrace, endpoint.url);
    const { id } = await millrace.uploadOpen(floodRoute, data.ndjson);
    const others = await startOtherCustomers({
      ...{ admin, url: millrace.url, route: floodRoute, sinkUrl: sink.url },
      ...(context.short && shortDay),
    });
    await delay(sized(context, { full: 3_000, short: 500 }));
    others.enter('flood');
    const startedMs = performance.now();
    await millrace.closeBatch(id);
    await millrace.waitSent(id, waitMaxMs);
    const sentMs = performance.now();
    others.enter('backlog');
    if (tells) await waitTold(endpoint.url, data.count);
    const toldMs = performance.now();
    const { latenciesMs, missing } = await others.finish();
    if (missing > 0) throw new Error(`${missing} messages of the others did not arrive`);
    // Whichever is worse: beside the flood, or beside what is still told of it.
    const { flood, backlog } = latenciesMs;
    const beside = tells && backlog.length > 0 ? [flood, backlog] : [flood];
    return {
      perSecond: data.count / ((sentMs - startedMs) / 1_000),
      othersP99Ms: Math.max(...beside.map((values) => percentile(values, 0.99))),
      restSeconds: Math.max(toldMs - sentMs, 1) / 1_000,
    };
  } finally {
    admin.close();
    await millrace.stop();
    await sink.stop();
    await endpoint.stop();
    await database.drop();
  }
}

async function register(millrace: Millrace, url: string): Promise<void> {
  const secrets = [{ secret: `whsec_${randomBytes(32).toString('base64')}` }];
  await millrace.call('PUT', `/v1/routes/${callbackRouteName}`, {
    body: { connector: 'webhook', allowPrivate: true, secrets },
  });
  await millrace.call('POST', '/v1/webhooks', { body: { name: 'bench', url, events: ['message.sent'] } });
}

/** Every event arrived, and none under two ids: the sink keeps them by the event's. */
async function waitTold(endpointUrl: string, count: number): Promise<void> {
  const deadlineMs = performance.now() + waitMaxMs;
  for (;;) {
    const { distinct } = await readLedger(endpointUrl);
    if (distinct === count) return;
    if (distinct > count || performance.now() > deadlineMs)
      throw new Error(`${distinct} of ${count} events were told`);
    await delay(pollEveryMs);
  }
}

function measurementsOf(told: Side[], untold: Side[]): Measurement[] {
  const p99s = (sides: Side[]) => sides.map(({ othersP99Ms }) => othersP99Ms);
  const speeds = (sides: Side[]) => sides.map(({ perSecond }) => perSecond);
  return [
    {
      name: 'p99 of others beside the flood, told / untold',
      unit: 'ratio',
      values: ratios(p99s(told), p99s(untold)),
      target: { reach: 1.1, better: 'lower' },
    },
    {
      name: 'delivery of the flood, told / untold',
      unit: 'ratio',
      values: ratios(speeds(told), speeds(untold)),
      target: { reach: 0.9, better: 'higher' },
    },
    { name: 'p99 of others, told', unit: 'ms', values: p99s(told) },
    { name: 'p99 of others, untold', unit: 'ms', values: p99s(untold) },
    { name: 'delivery of the flood, told', unit: 'messages/s', values: speeds(told) },
    { name: 'delivery of the flood, untold', unit: 'messages/s', values: speeds(untold) },
    {
      name: 'from the last outcome of the flood to its last callback',
      unit: 's',
      values: told.map(({ restSeconds }) => restSeconds),
    },
  ];
}

function notesOf(count: number): string[] {
  return [
    `${count} messages posted one by one, beside 300 single messages a second from 50 accounts on the same route, from the post to the arrival at the`,
    'provider. The account of the flood has an endpoint that is told of each message in a request of its own; the simulated provider, the endpoint and those',
    'who measure share the machine. It counts only when every event was told.',
  ];
}
