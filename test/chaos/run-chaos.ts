import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../../src/sink/seeded-random.ts';
import { Books } from './books.ts';
import { drawFaults, type Fault, type FaultKind, Faults, isKill } from './faults.ts';
import { type Flood, startFlood } from './flood.ts';
import type { Unanswered } from './handover-watch.ts';
import { type Installation, type RouteName, routeNames, startInstallation } from './installation.ts';
import { type ChaosReport, judge } from './judge.ts';
import { SinkWatch } from './sink-watch.ts';

export interface ChaosOptions {
  kills: number;
  /** Kinds of faults that are left out. */
  without?: readonly FaultKind[];
  /** Draws the same faults in the same order; what they meet is the machine's. */
  seed: number;
  /** For the database and the logs; it should be empty. */
  directory: string;
  /** Word of how far it is. */
  onProgress?: (line: string) => void;
}

/** A run ends by itself: after so long it has failed. */
const limitMs = { start: 300_000, fault: 30_000 };
const faultPauseMs = { min: 150, max: 900 };
/** Also between faults the ledgers are read, so that the flood knows how much is on its way. */
const pullEveryMs = 500;
const drainPollMs = 200;

/** A flood through two routes under random kills, suspensions and cuts; then the books. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { kills, seed, directory, without = [], onProgress = () => {} } = options;
  const startedAt = performance.now();
  const deadline = startedAt + limitMs.start + kills * limitMs.fault;
  const random = seededRandom(seed);
  const installation = await startInstallation({ directory, seed });
  const books = new Books(installation.databaseUrl);
  const sinks = watchSinks(installation);
  const stopPulling = keepPulling(sinks);
  let flood: Flood | undefined;
  try {
    flood = startFlood({
      apiUrl: installation.apiUrl,
      random: seededRandom(seed + 1),
      delivered: (route) => sinks[route].distinct,
    });
    const faults: Fault[] = [];
    const doer = new Faults({ installation, books, sinks, random });
    const drawn = drawFaults({ kills, without }, random);
    for (const kind of drawn) {
      await sleep(faultPauseMs.min + random() * (faultPauseMs.max - faultPauseMs.min));
      if (performance.now() > deadline) throw new Error('the run took longer than it may');
      const fault = await doer.commit(kind);
      faults.push(fault);
      onProgress(progressLine({ fault, faults, drawn: drawn.length, flood }));
    }
    await within(deadline, flood.end());
    await drained(books, deadline);
    for (const route of routeNames) await sinks[route].pull();
    const seconds = Math.round((performance.now() - startedAt) / 1_000);
    const report = await judge({
      ...{ seed, seconds, faults, books, sinks, accepted: flood.accepted },
      unanswered: unansweredOf(installation),
    });
    stopPulling();
    const statuses = await installation.stop();
    if (statuses.some((status) => status !== 0)) report.broken.push(`processes ended with ${statuses}`);
    return report;
  } finally {
    stopPulling();
    await installation.stop();
  }
}

function watchSinks({ sinkUrls }: Installation): Record<RouteName, SinkWatch> {
  return { resend: new SinkWatch(sinkUrls.resend), hold: new SinkWatch(sinkUrls.hold) };
}

function unansweredOf({ handovers }: Installation): Record<RouteName, readonly Unanswered[]> {
  return { resend: handovers.resend.unanswered, hold: handovers.hold.unanswered };
}

function progressLine({
  fault,
  faults,
  drawn,
  flood,
}: {
  fault: Fault;
  faults: Fault[];
  drawn: number;
  flood: Flood;
}) {
  const accepted = routeNames.reduce((sum, route) => sum + flood.accepted[route].size, 0);
  const open = `${fault.handedOver.resend.size} open, ${fault.marked.size} marked`;
  const kills = faults.filter(isKill).length;
  return `${faults.length}/${drawn} (${kills} kills), ${accepted} accepted: ${fault.kind} (${fault.of}), ${open}`;
}

/** Until what it answers is called. Failures are left to the next reading that somebody waits for. */
function keepPulling(sinks: Record<RouteName, SinkWatch>): () => void {
  let stopped = false;
  const pull = async () => {
    while (!stopped) {
      for (const route of routeNames) await sinks[route].pull().catch(() => {});
      await sleep(pullEveryMs);
    }
  };
  void pull();
  return () => {
    stopped = true;
  };
}

async function drained(books: Books, deadline: number): Promise<void> {
  while ((await books.pendingChunks()) > 0) {
    if (performance.now() > deadline) throw new Error('messages are left that nobody delivers');
    await sleep(drainPollMs);
  }
}

async function within<Result>(deadline: number, work: Promise<Result>): Promise<Result> {
  const late = new AbortController();
  const expired = sleep(Math.max(0, deadline - performance.now()), undefined, { signal: late.signal }).then(
    () => {
      throw new Error('the run took longer than it may');
    },
  );
  try {
    return await Promise.race([work, expired]);
  } finally {
    late.abort();
    expired.catch(() => {});
  }
}
