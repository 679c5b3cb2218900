import { makeData } from '../data.ts';
import { type Figure, type FigureContext, type Measurement, ratios, sized } from '../figure.ts';
import { withPeerStore } from '../peer-stores.ts';
import type { Peer } from '../peers/peer.ts';
import { insertIntoPeer } from '../run-peer.ts';
import { acceptOverHttp } from './accept.ts';

/** Batches under way at once, beside one after another. */
const insertLanes = [2, 4] as const;

export const acceptPeers: Figure = {
  name: 'accept-peers',
  title: 'Messages taken in per second, against three job queues inserting in batches of 1,000',
  needs: ['redis-server'],
  peers: true,
  async run(context) {
    // Not before: what they are made of may just be being installed.
    const { peers } = await import('../peers/catalogue.ts');
    const count = sized(context, { full: 100_000, short: 5_000 });
    const jobs = await makeData({ dir: context.dataDir, count });
    const flood = await makeData({ dir: context.dataDir, count: context.messages });
    const rates: PeerRates[] = [];
    for (const peer of peers) rates.push(await measureInserts({ context, peer, ndjson: jobs.ndjson, count }));
    const millrace: number[] = [];
    for (let run = 0; run < context.runs; run++) {
      millrace.push(flood.count / (await acceptOverHttp(context, flood)));
      context.say(`millrace: ${Math.round(millrace[run]!)}/s`);
    }
    const target = { reach: 15, aim: 25, better: 'higher' } as const;
    const measurements: Measurement[] = [
      {
        name: 'Millrace / fastest peer, batch after batch',
        unit: '',
        values: against(millrace, rates, 'serial'),
        target,
      },
      {
        name: 'Millrace / fastest peer, several batches at once',
        unit: '',
        values: against(millrace, rates, 'best'),
        target,
      },
      { name: 'Millrace', unit: 'messages/s', values: millrace },
      ...rates.flatMap(({ peer, serial, best, lanes }) => [
        { name: `${peer.name}, batch after batch`, unit: 'jobs/s', values: serial },
        { name: `${peer.name}, ${lanes} batches at once`, unit: 'jobs/s', values: best },
      ]),
    ];
    return {
      measurements,
      notes: [
        `Peers: ${count} jobs each; Millrace: ${flood.count} messages in one upload. The peers' guides insert one batch after`,
        'another; several at once is the best of 2 and 4, to their advantage.',
        "BullMQ's Redis syncs its file once a second; the others, and Millrace, before they answer.",
      ],
    };
  },
};

interface PeerRates {
  peer: Peer;
  /** Jobs a second, one batch after another. */
  serial: number[];
  /** Jobs a second with `lanes` batches under way at once, the best number of those tried. */
  best: number[];
  lanes: number;
}

async function measureInserts(options: {
  context: FigureContext;
  peer: Peer;
  ndjson: string;
  count: number;
}): Promise<PeerRates> {
  const { context, peer, ndjson, count } = options;
  const insert = async (lanes: number) => {
    const perSecond = await withPeerStore({ context, peer }, async (url) => {
      await context.server.checkpoint();
      return (count / (await insertIntoPeer({ peer, url, ndjson, count, lanes }))) * 1_000;
    });
    context.say(`${peer.name}, ${lanes} at once: ${Math.round(perSecond)}/s`);
    return perSecond;
  };
  const serial: number[] = [];
  while (serial.length < context.runs) serial.push(await insert(1));
  // In a short run one after another counts as the best as well: each trial is a store and two processes.
  const tried = context.short ? [{ lanes: 1, perSecond: serial[0]! }] : [];
  for (const lanes of context.short ? [] : insertLanes) tried.push({ lanes, perSecond: await insert(lanes) });
  const { lanes, perSecond } = tried.reduce((a, b) => (b.perSecond > a.perSecond ? b : a));
  const best = [perSecond];
  while (best.length < context.runs) best.push(await insert(lanes));
  return { peer, serial, best, lanes };
}

function against(millrace: number[], rates: PeerRates[], how: 'serial' | 'best'): number[] {
  return ratios(
    millrace,
    millrace.map((_, run) => Math.max(...rates.map((rate) => rate[how][run]!))),
  );
}
