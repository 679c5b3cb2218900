import { type Data, makeData } from '../data.ts';
import { type Figure, type FigureContext, ratios, sized } from '../figure.ts';
import { type Millrace, startMillrace } from '../millrace.ts';
import { startNginx } from '../nginx.ts';
import { floodRoute, putSingleRoute } from '../routes.ts';
import { type BareLoopSettings, rankBareLoops, runBareLoop } from '../run-bare-loop.ts';

const drainTimeoutMs = 600_000;

export const deliverSingle: Figure = {
  name: 'deliver-single',
  title: 'Delivery, one message per POST, against a bare undici loop of the same POSTs to the same nginx',
  needs: ['nginx'],
  async run(context) {
    const data = await makeData({
      dir: context.dataDir,
      count: sized(context, { full: 200_000, short: 5_000 }),
    });
    const trial = sized(context, { full: 30_000, short: 1_000 });
    const nginx = await startNginx(context.dir);
    try {
      const ranked = await rankBareLoops({
        url: nginx.url,
        ndjson: data.ndjson,
        count: trial,
        short: context.short,
      });
      for (const { settings, perSecond } of ranked)
        context.say(`${describeLoop(settings)}: ${Math.round(perSecond)}/s`);
      // A trial is short and machines are uneven: the two fastest meet again in every run.
      const best = ranked.slice(0, context.short ? 1 : 2).map(({ settings }) => settings);
      const { connections } = best[0]!;
      const bareLoops = async () => {
        const rates: number[] = [];
        for (const settings of best) {
          rates.push(
            await runBareLoop({ url: nginx.url, ndjson: data.ndjson, count: data.count, ...settings }),
          );
        }
        return Math.max(...rates);
      };
      const bare: number[] = [];
      const millrace: number[] = [];
      for (let run = 0; run < context.runs; run++) {
        const sides = [
          async () => bare.push(await bareLoops()),
          async () =>
            millrace.push(await deliverSingly({ context, data, url: nginx.url, concurrency: connections })),
        ];
        for (const side of run % 2 === 0 ? sides : sides.reverse()) await side();
        context.say(
          `run ${run + 1}: bare loop ${Math.round(bare[run]!)}/s, Millrace ${Math.round(millrace[run]!)}/s`,
        );
      }
      return {
        measurements: [
          {
            name: 'Millrace / bare loop',
            unit: '',
            values: ratios(millrace, bare),
            target: { reach: 0.8, aim: 0.9, better: 'higher' },
          },
          { name: 'Millrace', unit: 'messages/s', values: millrace },
          { name: 'bare undici loop', unit: 'POSTs/s', values: bare },
        ],
        notes: [
          `${data.count} messages; outcomes durable at the end; both sides warmed up by a tenth as many.`,
          `Of all bare loops tried the two fastest ran beside every run, and the faster counts: ${best.map(describeLoop).join('; ')}.`,
          `Millrace's route has ${connections} connections.`,
        ],
      };
    } finally {
      await nginx.stop();
    }
  },
};

export function describeLoop({ api, connections }: BareLoopSettings): string {
  return `${api}, ${connections} connections`;
}

/** Messages a second, each in a POST of the http connector. */
export async function deliverSingly(options: {
  context: FigureContext;
  data: Data;
  url: string;
  concurrency: number;
}): Promise<number> {
  const { context, data, url, concurrency } = options;
  const warmUp = await makeData({ dir: context.dataDir, count: Math.ceil(data.count / 10) });
  return deliverFile({
    context,
    putRoute: (millrace) => putSingleRoute(millrace, { url, concurrency }),
    warmUp: warmUp.ndjson,
    file: data.ndjson,
  });
}

/** Messages a second from the closing of a waiting batch to the last recorded outcome. */
export async function deliverFile(options: {
  context: FigureContext;
  /** Makes the route `floodRoute`. */
  putRoute: (millrace: Millrace) => Promise<void>;
  warmUp: string;
  file: string;
}): Promise<number> {
  const { context, putRoute, warmUp, file } = options;
  const database = await context.server.create('bench_millrace');
  const millrace = await startMillrace({ databaseUrl: database.url, dir: context.dir });
  try {
    await putRoute(millrace);
    const first = await millrace.uploadOneShot({ route: floodRoute, file: warmUp, start: 'now' });
    await millrace.waitSent(first.id, drainTimeoutMs);
    const batch = await millrace.uploadOpen(floodRoute, file);
    await context.server.checkpoint();
    const startedMs = performance.now();
    await millrace.closeBatch(batch.id);
    const { counts } = await millrace.waitSent(batch.id, drainTimeoutMs);
    return (counts.sent / (performance.now() - startedMs)) * 1_000;
  } finally {
    await millrace.stop();
    await database.drop();
  }
}
