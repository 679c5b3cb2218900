import { makeData } from '../data.ts';
import { type Figure, type FigureContext, sized } from '../figure.ts';
import { sampleMemory } from '../memory.ts';
import { type Millrace, startMillrace, startSink } from '../millrace.ts';
import { floodRoute, putBatchedRoute } from '../routes.ts';
import { percentile } from '../statistics.ts';

const waitingRoute = 'waiting';
const roundTimeoutMs = 120_000;

/** The promise that a long queue costs nobody anything: neither memory nor time for what is delivered beside it. */
export const backlog: Figure = {
  name: 'backlog',
  title: 'What a message costs to deliver beside a long backlog, against a short one',
  needs: [],
  async run(context) {
    const sizes = {
      short: sized(context, { full: 100_000, short: 1_000 }),
      uploads: sized(context, { full: 5, short: 2 }),
    };
    const short = await measure(context, { perUpload: sizes.short, uploads: 1 });
    const long = await measure(context, { perUpload: context.messages, uploads: sizes.uploads });
    const queued = context.messages * sizes.uploads;
    return {
      measurements: [
        {
          name: `cost beside ${queued} queued / beside ${sizes.short}`,
          unit: 'ratio',
          values: [percentile(short.perSecond, 0.5) / percentile(long.perSecond, 0.5)],
          target: { reach: 1.1, aim: 1, better: 'lower' },
        },
        { name: `delivered beside ${sizes.short} queued`, unit: 'messages/s', values: short.perSecond },
        { name: `delivered beside ${queued} queued`, unit: 'messages/s', values: long.perSecond },
        { name: `memory beside ${sizes.short} queued`, unit: 'MiB', values: [short.mebibytes] },
        { name: `memory beside ${queued} queued`, unit: 'MiB', values: [long.mebibytes] },
      ],
      notes: [
        'The backlog waits on a route of 1 message a second. What is measured is a waiting batch on another, in POSTs of 500,',
        'from its closing to its last outcome. Memory is the peak of the server through the rounds, its uploads left out.',
      ],
    };
  },
};

async function measure(
  context: FigureContext,
  { perUpload, uploads }: { perUpload: number; uploads: number },
): Promise<{ perSecond: number[]; mebibytes: number }> {
  const count = sized(context, { full: 200_000, short: 5_000 });
  const rounds = sized(context, { full: 5, short: 2 });
  const waiting = await makeData({ dir: context.dataDir, count: perUpload });
  const data = await makeData({ dir: context.dataDir, count });
  const database = await context.server.create('bench_millrace');
  const sink = await startSink();
  const millrace = await startMillrace({ databaseUrl: database.url, dir: context.dir });
  try {
    await putBatchedRoute(millrace, sink.url);
    await millrace.call('PUT', `/v1/routes/${waitingRoute}`, {
      body: { connector: 'http', url: sink.url, allowPrivate: true, ratePerSecond: 1, concurrency: 1 },
    });
    for (let upload = 1; upload <= uploads; upload++) {
      await millrace.uploadOneShot({ route: waitingRoute, file: waiting.ndjson, start: 'now' });
      context.say(`${upload * perUpload} are queued`);
    }
    await deliver(millrace, { file: data.ndjson, count });
    // What the uploads left to be written is not the cost of a message beside them.
    await context.server.checkpoint();
    const memory = sampleMemory(millrace.pid);
    const perSecond: number[] = [];
    while (perSecond.length < rounds) perSecond.push(await deliver(millrace, { file: data.ndjson, count }));
    return { perSecond, mebibytes: (await memory.stop()).residentBytes / 1_048_576 };
  } finally {
    await millrace.stop();
    await sink.stop();
    await database.drop();
  }
}

async function deliver(millrace: Millrace, round: { file: string; count: number }): Promise<number> {
  const { id } = await millrace.uploadOpen(floodRoute, round.file);
  const startedMs = performance.now();
  await millrace.closeBatch(id);
  await millrace.waitSent(id, roundTimeoutMs);
  return round.count / ((performance.now() - startedMs) / 1_000);
}
