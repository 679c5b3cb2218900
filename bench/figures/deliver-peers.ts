import { type Data, makeData } from '../data.ts';
import { type Figure, type FigureContext, type Measurement, ratios, sized } from '../figure.ts';
import { startNginx } from '../nginx.ts';
import { withPeerStore } from '../peer-stores.ts';
import type { Peer, WorkSettings } from '../peers/peer.ts';
import { drainPeer, insertIntoPeer } from '../run-peer.ts';
import { deliverSingly } from './deliver-single.ts';

/** How many times a peer's rate issue 1 asks for. */
const reach: Record<string, number> = { 'pg-boss': 3, bullmq: 3, 'graphile-worker': 2 };
const millraceConcurrency = 64;

export const deliverPeers: Figure = {
  name: 'deliver-peers',
  title: 'Delivery, one message per POST, against three job queues with the same POST as their job',
  needs: ['nginx', 'redis-server'],
  peers: true,
  async run(context) {
    // Not before: what they are made of may just be being installed.
    const { peers } = await import('../peers/catalogue.ts');
    const jobs = await makeData({
      dir: context.dataDir,
      count: sized(context, { full: 50_000, short: 2_000 }),
    });
    const messages = await makeData({
      dir: context.dataDir,
      count: sized(context, { full: 200_000, short: 5_000 }),
    });
    const nginx = await startNginx(context.dir);
    try {
      const measured: { peer: Peer; settings: WorkSettings; perSecond: number[] }[] = [];
      for (const peer of peers)
        measured.push(await measureDrains({ context, peer, data: jobs, sinkUrl: nginx.url }));
      const millrace: number[] = [];
      for (let run = 0; run < context.runs; run++) {
        millrace.push(
          await deliverSingly({ context, data: messages, url: nginx.url, concurrency: millraceConcurrency }),
        );
        context.say(`millrace: ${Math.round(millrace[run]!)}/s`);
      }
      const measurements: Measurement[] = measured.map(({ peer, perSecond }) => ({
        name: `Millrace / ${peer.name}`,
        unit: '',
        values: ratios(millrace, perSecond),
        target: { reach: reach[peer.name]!, better: 'higher' },
      }));
      measurements.push(
        { name: 'Millrace', unit: 'messages/s', values: millrace },
        ...measured.map(({ peer, perSecond }) => ({ name: peer.name, unit: 'jobs/s', values: perSecond })),
      );
      return { measurements, notes: [noteSizes(jobs, messages), noteSettings(measured)] };
    } finally {
      await nginx.stop();
    }
  },
};

/** Tries each of the peer's ways to work once, then repeats its fastest. */
async function measureDrains(options: {
  context: FigureContext;
  peer: Peer;
  data: Data;
  sinkUrl: string;
}): Promise<{ peer: Peer; settings: WorkSettings; perSecond: number[] }> {
  const { context, peer, data, sinkUrl } = options;
  const { ndjson, count } = data;
  const drain = async (settings: WorkSettings) =>
    await withPeerStore({ context, peer }, async (url) => {
      await insertIntoPeer({ peer, url, ndjson, count, lanes: 2 });
      await context.server.checkpoint();
      return (count / (await drainPeer({ peer, url, sinkUrl, count, settings }))) * 1_000;
    });
  const tried: { settings: WorkSettings; perSecond: number }[] = [];
  for (const settings of context.short ? peer.work.slice(0, 1) : peer.work) {
    const perSecond = await drain(settings);
    context.say(`${peer.name}, ${describe(settings)}: ${Math.round(perSecond)}/s`);
    tried.push({ settings, perSecond });
  }
  const best = tried.reduce((a, b) => (b.perSecond > a.perSecond ? b : a));
  const perSecond = [best.perSecond];
  while (perSecond.length < context.runs) perSecond.push(await drain(best.settings));
  return { peer, settings: best.settings, perSecond };
}

function describe({ processes, concurrency, fetch }: WorkSettings): string {
  return `${processes} process${processes > 1 ? 'es' : ''}, ${concurrency} at once in each, ${fetch} to a fetch`;
}

function noteSizes(jobs: Data, messages: Data): string {
  return `Peers: ${jobs.count} waiting jobs; Millrace: ${messages.count} waiting messages, ${millraceConcurrency} connections.`;
}

function noteSettings(measured: { peer: Peer; settings: WorkSettings }[]): string {
  const each = measured.map(({ peer, settings }) => `${peer.name}: ${describe(settings)}`);
  return `The fastest of each peer's settings. ${each.join('; ')}.`;
}
