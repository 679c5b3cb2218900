import { makeData } from '../data.ts';
import { type Figure, type FigureContext, ratios, sized } from '../figure.ts';
import { sampleMemory } from '../memory.ts';
import { type Millrace, startMillrace, startSink } from '../millrace.ts';
import { floodRoute, putBatchedRoute } from '../routes.ts';

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
    const { few, many } = await measure(context, sizes);
    const queued = context.messages * sizes.uploads;
    return {
      measurements: [
        {
          name: `cost beside ${queued} queued / beside ${sizes.short}`,
          unit: 'ratio',
          values: ratios(few.perSecond, many.perSecond),
          target: { reach: 1.1, aim: 1, better: 'lower' },
        },
        { name: `delivered beside ${sizes.short} queued`, unit: 'messages/s', values: few.perSecond },
        { name: `delivered beside ${queued} queued`, unit: 'messages/s', values: many.perSecond },
        { name: `memory beside ${sizes.short} queued`, unit: 'MiB', values: [few.mebibytes] },
        { name: `memory beside ${queued} queued`, unit: 'MiB', values: [many.mebibytes] },
      ],
      notes: [
        'Two servers, each with a database of its own on the same PostgreSQL, take turns. The backlog waits on a route of 1 message a second.',
        'What is measured is a waiting batch on another, in POSTs of 500, from its closing to its last outcome. Memory is the peak of the',
        'server through the rounds, its uploads left out.',
      ],
    };
  },
};

interface Side {
  perSecond: number[];
  mebibytes: number;
}

/** In turns, as an hour, or a few minutes, of a shared machine differ by more than what is asked. */
async function measure(
  context: FigureContext,
  sizes: { short: number; uploads: number },
): Promise<{ few: Side; many: Side }> {
  const count = sized(context, { full: 200_000, short: 5_000 });
  const rounds = sized(context, { full: 10, short: 2 });
  const data = await makeData({ dir: context.dataDir, count });
  const many = await startQueue(context, {
    name: 'many',
    perUpload: context.messages,
    uploads: sizes.uploads,
  });
  try {
    const few = await startQueue(context, { name: 'few', perUpload: sizes.short, uploads: 1 });
    try {
      const sides = [few, many].map(({ millrace }) => ({ millrace, perSecond: [] as number[] }));
      for (const { millrace } of sides) await deliver(millrace, { file: data.ndjson, count });
      // What the uploads left to be written is not the cost of a message beside them.
      await context.server.checkpoint();
      const memory = sides.map(({ millrace }) => sampleMemory(millrace.pid));
      for (let round = 0; round < rounds; round++) {
        // Each begins as often as the other.
        for (const { millrace, perSecond } of round % 2 === 0 ? sides : sides.toReversed())
          perSecond.push(await deliver(millrace, { file: data.ndjson, count }));
        context.say(
          `round ${round + 1} of ${rounds}: ${sides.map((side) => Math.round(side.perSecond.at(-1)!)).join(' and ')}/s`,
        );
      }
      const peaks = await Promise.all(memory.map((sample) => sample.stop()));
      const [ofFew, ofMany] = sides.map(({ perSecond }, side) => ({
        perSecond,
        mebibytes: peaks[side]!.residentBytes / 1_048_576,
      }));
      return { few: ofFew!, many: ofMany! };
    } finally {
      await few.stop();
    }
  } finally {
    await many.stop();
  }
}

/** A server with what waits, and a provider for the rest. */
async function startQueue(
  context: FigureContext,
  { name, perUpload, uploads }: { name: string; perUpload: number; uploads: number },
): Promise<{ millrace: Millrace; stop: () => Promise<void> }> {
  const waiting = await makeData({ dir: context.dataDir, count: perUpload });
  const database = await context.server.create(`bench_millrace_${name}`);
  const sink = await startSink();
  const millrace = await startMillrace({ databaseUrl: database.url, dir: context.dir });
  const stop = async () => {
    await millrace.stop();
    await sink.stop();
    await database.drop();
  };
  try {
    await putBatchedRoute(millrace, sink.url);
    await millrace.call('PUT', `/v1/routes/${waitingRoute}`, {
      body: { connector: 'http', url: sink.url, allowPrivate: true, ratePerSecond: 1, concurrency: 1 },
    });
    for (let upload = 1; upload <= uploads; upload++) {
      await millrace.uploadOneShot({ route: waitingRoute, file: waiting.ndjson, start: 'now' });
      context.say(`${upload * perUpload} are queued`);
    }
    return { millrace, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function deliver(millrace: Millrace, round: { file: string; count: number }): Promise<number> {
  const { id } = await millrace.uploadOpen(floodRoute, round.file);
  const startedMs = performance.now();
  await millrace.closeBatch(id);
  await millrace.waitSent(id, roundTimeoutMs);
  return round.count / ((performance.now() - startedMs) / 1_000);
}
