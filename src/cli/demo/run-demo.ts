import { readFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { type Batch, type Client, createClient } from '../../client/client.ts';
import { wait } from '../../client/retry-wait.ts';
import type { CommandContext } from '../command-context.ts';
import { Failure } from '../failure.ts';
import { formatCount } from '../format.ts';
import { createProgress, type Progress } from '../progress.ts';
import { checkFlood, checkOthers } from './check-books.ts';
import { makeDemoDirectory, removeDemoDirectory } from './demo-directory.ts';
import { type DemoProcess, startDemoProcess } from './demo-process.ts';
import { coresHere, type DemoReport, describeLatency, isBalanced, round } from './demo-report.ts';
import { type Flood, startFlood } from './flood.ts';
import { watchMemory } from './memory-watch.ts';
import { type OtherCustomers, startOtherCustomers } from './other-customers.ts';

export interface DemoOptions {
  messages: number;
  single: boolean;
  /** No progress, only the result. */
  quiet: boolean;
}

const floodRoute = 'flood';
const othersRoute = 'others';
/** Messages in one request to the provider, where it takes several. */
const batchMax = 500;
/** First contacts (connections, compiled code, caches) are not what an ordinary day looks like. */
const warmUpMs = 3_000;
const calmMs = 8_000;
const pollMs = 250;
/** Beyond it other programs have most of the machine. */
const busyLoadPerCore = 3;
/** Longer than any pause that a checkpoint on a slow disk or a busy machine makes. */
const stallMaxMs = 120_000;
/** Where nobody watches bars, a line now and then shows that it lives. */
const noteEveryMs = 10_000;

/** The main job from end to end, on processes and data of its own. */
export async function runDemo(context: CommandContext, options: DemoOptions): Promise<DemoReport> {
  const startedAtMs = performance.now();
  const progress = createProgress(context.terminal, { quiet: options.quiet });
  const directory = await makeDemoDirectory(context.environment.TMPDIR || undefined);
  const running: { stop(): unknown }[] = [];
  let keep = false;
  try {
    progress.note(`Starting PostgreSQL, the server and two simulated providers in ${directory} …`);
    const stage = await startStage(context, directory, running);
    const others = await startOthers(stage, running);
    progress.note(
      '50 accounts post single messages, 300 a second in all: how long do they take without a flood?',
    );
    await duringCalm(stage, others);
    const report = await duringFlood(context, { stage, others, options, progress, running });
    return { ...report, seconds: round((performance.now() - startedAtMs) / 1_000) };
  } catch (error) {
    keep = !context.signal.aborted;
    if (keep) progress.note(`What was left behind to look at: ${directory}`);
    throw error;
  } finally {
    progress.stop();
    for (const part of running.reverse()) await part.stop();
    if (!keep) await removeDemoDirectory(directory);
  }
}

interface Stage {
  server: DemoProcess;
  floodSink: DemoProcess;
  othersSink: DemoProcess;
  admin: Client;
  adminKey: string;
  signal: AbortSignal;
}

async function startStage(
  context: CommandContext,
  directory: string,
  running: { stop(): unknown }[],
): Promise<Stage> {
  const env = context.environment;
  const data = join(directory, 'data');
  const start = async (name: string, args: string[]): Promise<DemoProcess> => {
    const started = await startDemoProcess({
      name,
      args,
      env,
      logFile: join(directory, `${name.replaceAll(' ', '-')}.log`),
    });
    running.push(started);
    return started;
  };
  const floodSink = await start('provider of the flood', ['sink', '--port', '0']);
  const othersSink = await start('provider of the others', ['sink', '--port', '0', '--arrivals', '1000000']);
  const server = await start('server', ['serve', '--port', '0', '--data', data, '--log-level', 'warn']);
  const adminKey = (await readFile(join(data, 'admin.key'), 'utf8')).trim();
  const admin = createClient({
    url: server.url,
    key: adminKey,
    userAgent: 'millrace-demo',
    signal: context.signal,
  });
  return { server, floodSink, othersSink, admin, adminKey, signal: context.signal };
}

async function startOthers(stage: Stage, running: { stop(): unknown }[]): Promise<OtherCustomers> {
  const { admin, server, othersSink } = stage;
  await admin.routes.set(othersRoute, { connector: 'http', url: `${othersSink.url}/`, allowPrivate: true });
  const others = await startOtherCustomers({
    admin,
    url: server.url,
    route: othersRoute,
    sinkUrl: othersSink.url,
  });
  running.push(others);
  return others;
}

async function duringCalm(stage: Stage, others: OtherCustomers): Promise<void> {
  await whileAlive(stage, wait(warmUpMs, stage.signal));
  others.enter('calm');
  await whileAlive(stage, wait(calmMs, stage.signal));
}

interface FloodSettings {
  stage: Stage;
  others: OtherCustomers;
  options: DemoOptions;
  progress: Progress;
  running: { stop(): unknown }[];
}

async function duringFlood(
  context: CommandContext,
  settings: FloodSettings,
): Promise<Omit<DemoReport, 'seconds'>> {
  const { stage, others, options, progress, running } = settings;
  const { admin, server, floodSink } = stage;
  const memory = watchMemory(server.pid);
  running.push(memory);
  await admin.routes.set(floodRoute, {
    connector: 'http',
    url: `${floodSink.url}/`,
    allowPrivate: true,
    ...(options.single ? {} : { batch: { max: batchMax } }),
  });
  const batch = await admin.batches.create({ route: floodRoute, from: 'Millrace' });
  progress.note(
    `Now the flood: ${formatCount(options.messages)} messages in one upload, while the others go on.`,
  );
  others.enter('flood');
  const floodStartedAtMs = performance.now();
  let resumed = 0;
  const flood = startFlood(
    { url: server.url, key: stage.adminKey, batchId: batch.id, count: options.messages, seed: 1 },
    ({ line, reason }) => {
      resumed++;
      progress.note(`the upload broke (${reason}) and goes on from line ${formatCount(line)}`);
    },
  );
  running.push(flood);
  const { acceptedAtMs, doneAtMs } = await whileAlive(
    stage,
    follow(stage, { batch, flood, options, progress }),
  );
  const othersResult = await whileAlive(stage, others.finish());
  const peakMemoryBytes = memory.peakBytes() ?? null;

  progress.note('Checking the books: the export of the batch against the ledger of the provider …');
  const bar = progress.bar('exported', { total: options.messages, unit: 'count' });
  const floodBooks = await whileAlive(
    stage,
    checkFlood({
      client: admin,
      batchId: batch.id,
      sinkUrl: floodSink.url,
      onCount: (count) => bar.update(count),
      signal: context.signal,
    }),
  );
  const othersBooks = await checkOthers(othersResult, stage.othersSink.url);
  const acceptSeconds = round((acceptedAtMs - floodStartedAtMs) / 1_000);
  const deliverSeconds = round((doneAtMs - floodStartedAtMs) / 1_000);
  const report = {
    messages: options.messages,
    single: options.single,
    accepted: floodBooks.accepted + othersBooks.accepted,
    delivered: floodBooks.received + othersBooks.received,
    lost: floodBooks.lost + othersBooks.lost,
    duplicated: floodBooks.duplicated + othersBooks.duplicated,
    flood: {
      ...floodBooks,
      acceptSeconds,
      acceptedPerSecond: Math.round((floodBooks.accepted * 1_000) / (acceptedAtMs - floodStartedAtMs)),
      deliverSeconds,
      deliveredPerSecond: Math.round((floodBooks.received * 1_000) / (doneAtMs - floodStartedAtMs)),
      resumed,
    },
    others: {
      ...othersBooks,
      refused: othersResult.refused,
      firstRefusal: othersResult.firstRefusal,
      calm: describeLatency(othersResult.latenciesMs.calm),
      flood: describeLatency(othersResult.latenciesMs.flood),
    },
    peakMemoryBytes,
    cores: coresHere(),
  };
  return { ok: isBalanced(report), ...report };
}

interface Following {
  batch: Batch;
  flood: Flood;
  options: DemoOptions;
  progress: Progress;
}

/** Watches the batch until it is done, and gives up when nothing moves any more. */
async function follow({ admin, signal }: Stage, { batch, flood, options, progress }: Following) {
  const accepted = progress.bar('accepted', { total: options.messages, unit: 'count' });
  const delivered = progress.bar('delivered', { total: options.messages, unit: 'count' });
  let acceptedAtMs: number | undefined;
  let failure: unknown;
  flood.done.then(
    () => (acceptedAtMs = performance.now()),
    (error: unknown) => (failure = error),
  );
  let movedAtMs = performance.now();
  let notedAtMs = movedAtMs;
  let moved = 0;
  for (;;) {
    if (failure !== undefined) throw failure;
    const { state, counts } = await admin.batches.get(batch.id, signal);
    const finished = counts.accepted - counts.queued - counts.sending - counts.retrying;
    accepted.update(counts.accepted);
    delivered.update(finished);
    const nowMs = performance.now();
    if (state === 'done' && acceptedAtMs !== undefined) return { acceptedAtMs, doneAtMs: nowMs };
    if (counts.accepted + finished > moved) [moved, movedAtMs] = [counts.accepted + finished, nowMs];
    if (nowMs - movedAtMs > stallMaxMs) {
      throw new Failure(
        `nothing has moved for ${stallMaxMs / 1_000} s: ${formatCount(counts.accepted)} accepted, ${formatCount(finished)} finished`,
        { hint: stallHint() },
      );
    }
    if (nowMs - notedAtMs > noteEveryMs && !progress.live) {
      progress.note(`accepted ${formatCount(counts.accepted)}, delivered ${formatCount(finished)}`);
      notedAtMs = nowMs;
    }
    await wait(pollMs, signal);
  }
}

/** Work that makes no sense any more once a process has died. */
async function whileAlive<T>({ server, floodSink, othersSink }: Stage, work: Promise<T>): Promise<T> {
  return await Promise.race([work, server.ended, floodSink.ended, othersSink.ended]);
}

/** The 300 messages a second of the other customers are more than a core can take of which others use most. */
function stallHint(): string {
  const [load = 0] = loadavg();
  const busy = `The machine has a load of ${load.toFixed(1)} on ${coresHere()} cores`;
  const others =
    load > coresHere() * busyLoadPerCore
      ? `${busy}: run the demonstration when less else runs. `
      : `${busy}. `;
  return `${others}server.log in the directory above says what the server met.`;
}
