import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { makeData } from '../data.ts';
import { type Figure, type FigureContext, ratios, sized } from '../figure.ts';
import { readLedger } from '../ledger.ts';
import { adminKey, type Millrace, startMillrace, startSink } from '../millrace.ts';
import { cpuSecondsOf } from '../processes.ts';
import { floodRoute, putSingleRoute } from '../routes.ts';

const pairs = 7;
/** While the flood waits. */
const stillPairs = 3;
const streams = 20;
/** Three times as often as Prometheus does of itself. */
const scrapeEveryMs = 5_000;

interface Span {
  cpuSeconds: number;
  messages: number;
}

/** CPU seconds a second while the flood waits and nothing is delivered. */
interface Still {
  unseen: number[];
  seen: number[];
}

interface Taken {
  unseen: Span[];
  seen: Span[];
  still: Still;
}

/** That looking costs the flood next to nothing. */
export const watched: Figure = {
  name: 'watched',
  title: 'A flood that is watched by 20 event streams and a scraper of /metrics',
  needs: [],
  async run(context) {
    if (process.platform !== 'linux')
      throw new Error('CPU seconds of processes are read from /proc of Linux');
    const { unseen, seen, still } = await measure(context);
    const perMessage = (spans: Span[]) => spans.map(({ cpuSeconds, messages }) => cpuSeconds / messages);
    const microseconds = (spans: Span[]) => perMessage(spans).map((value) => value * 1e6);
    return {
      measurements: [
        {
          name: 'CPU seconds per message, watched / unseen',
          unit: 'ratio',
          values: ratios(perMessage(seen), perMessage(unseen)),
          target: { reach: 1.03, better: 'lower' },
        },
        { name: 'CPU seconds a second while nothing is delivered, watched', unit: '', values: still.seen },
        { name: 'CPU seconds a second while nothing is delivered, unseen', unit: '', values: still.unseen },
        { name: 'CPU per message, watched', unit: 'µs', values: microseconds(seen) },
        { name: 'CPU per message, unseen', unit: 'µs', values: microseconds(unseen) },
      ],
      notes: [
        `One flood of ${context.messages} messages, one a POST, is watched and not watched in turns of ${spanMs(context) / 1_000} s; CPU in user mode and in the`,
        'kernel of the server with all its processes, and of PostgreSQL where it runs here; messages by the ledger of the provider. Who watches is',
        `not counted: ${streams} streams of the whole installation, and /metrics read every ${scrapeEveryMs / 1_000} s. Each stream must have told of every second.`,
      ],
    };
  },
};

const spanMs = (context: FigureContext) => sized(context, { full: 10_000, short: 1_500 });
/** Until nobody tells any more what nobody asks for: workers go on for 10 s. */
const calmMs = (context: FigureContext) => sized(context, { full: 12_000, short: 500 });
/** Until what the upload left to PostgreSQL is done, and the server's code is compiled. */
const warmUpMs = (context: FigureContext) => sized(context, { full: 30_000, short: 500 });
const startMs = (context: FigureContext) => sized(context, { full: 2_000, short: 200 });

async function measure(context: FigureContext): Promise<Taken> {
  const data = await makeData({ dir: context.dataDir, count: context.messages });
  const database = await context.server.create('bench_millrace');
  const sink = await startSink();
  const millrace = await startMillrace({ databaseUrl: database.url, dir: context.dir });
  const pids = [millrace.pid, await context.server.localPid()].filter((pid) => pid !== undefined);
  const span = () => spanOf({ pids, sinkUrl: sink.url, ms: spanMs(context) });
  const turns = {
    async unseen() {
      await delay(calmMs(context));
      return await span();
    },
    async seen() {
      const watchers = watch(millrace);
      await delay(startMs(context));
      const taken = await span();
      await watchers.stop();
      return taken;
    },
  };
  const taken: Pick<Taken, 'unseen' | 'seen'> = { unseen: [], seen: [] };
  try {
    const ratePerSecond = context.short ? 4_000 : undefined;
    await putSingleRoute(millrace, { url: sink.url, ...(ratePerSecond !== undefined && { ratePerSecond }) });
    const batch = await millrace.uploadOpen(floodRoute, data.ndjson);
    // What PostgreSQL does of itself after so many rows would count as looking.
    await database.query('VACUUM (ANALYZE)');
    await context.server.checkpoint();
    const still: Still = { unseen: [], seen: [] };
    for (let pair = 0; pair < sized(context, { full: stillPairs, short: 1 }); pair++) {
      for (const side of ['unseen', 'seen'] as const) {
        still[side].push((await turns[side]()).cpuSeconds / (spanMs(context) / 1_000));
      }
      context.say(
        `nothing is delivered: ${still.seen[pair]!.toFixed(3)}, unseen ${still.unseen[pair]!.toFixed(3)}`,
      );
    }
    await millrace.closeBatch(batch.id);
    await delay(warmUpMs(context));
    for (let pair = 0; pair < sized(context, { full: pairs, short: 1 }); pair++) {
      const order = ['unseen', 'seen'] as const;
      for (const side of pair % 2 === 0 ? order : order.toReversed()) taken[side].push(await turns[side]());
      const [unseen, seen] = [taken.unseen[pair]!, taken.seen[pair]!];
      const ratio = seen.cpuSeconds / seen.messages / (unseen.cpuSeconds / unseen.messages);
      context.say(`pair ${pair + 1}: ${ratio.toFixed(3)}`);
    }
    const { counts } = await millrace.batch(batch.id);
    if (counts.queued === 0) throw new Error('the flood ended before it was measured: ask for more messages');
    return { ...taken, still };
  } finally {
    await millrace.stop();
    await sink.stop();
    await database.drop();
  }
}

async function spanOf(of: { pids: number[]; sinkUrl: string; ms: number }): Promise<Span> {
  const read = async () => {
    const each = await Promise.all(of.pids.map(cpuSecondsOf));
    const { received } = await readLedger(of.sinkUrl);
    return { cpuSeconds: each.reduce((sum, seconds) => sum + seconds, 0), messages: received };
  };
  const before = await read();
  await delay(of.ms);
  const after = await read();
  return {
    cpuSeconds: after.cpuSeconds - before.cpuSeconds,
    messages: after.messages - before.messages,
  };
}

function watch({ url }: Millrace): { stop(): Promise<void> } {
  const ending = new AbortController();
  const { signal } = ending;
  setMaxListeners(0, signal);
  const dispatcher = new Agent({ bodyTimeout: 0 });
  const headers = { authorization: `Bearer ${adminKey}` };
  const startedMs = performance.now();
  const told = new Array<number>(streams).fill(0);
  const follow = async (stream: number) => {
    const { statusCode, body } = await request(`${url}/v1/live`, { headers, dispatcher, signal });
    if (statusCode !== 200) throw new Error(`a stream was answered ${statusCode}`);
    for await (const part of body) told[stream]! += String(part).split('event: snapshot\n').length - 1;
  };
  const scrape = async () => {
    for (;;) {
      const { body } = await request(`${url}/metrics`, { dispatcher, signal });
      await body.dump({ limit: Number.MAX_SAFE_INTEGER });
      await delay(scrapeEveryMs, undefined, { signal });
    }
  };
  const watching = [scrape(), ...told.map((_, stream) => follow(stream))];
  const ended = Promise.allSettled(watching);
  return {
    async stop() {
      const seconds = (performance.now() - startedMs) / 1_000;
      ending.abort();
      for (const result of await ended) {
        if (result.status === 'rejected' && result.reason.name !== 'AbortError') throw result.reason;
      }
      await dispatcher.destroy();
      const least = Math.min(...told);
      // A busy server may be late, but must not have gone silent.
      if (least < Math.floor(seconds / 2)) throw new Error(`a stream told ${least} times in ${seconds} s`);
    },
  };
}
