import { callbackRouteName } from '../../src/message/webhook.ts';
import { Checker, type Violation } from './checker.ts';
import { Intake } from './intake.ts';
import { ModelProvider } from './model-provider.ts';
import { ModelServer } from './model-server.ts';
import { Operator } from './operator.ts';
import { OrderChecker } from './order-checker.ts';
import { PaceChecker } from './pace-checker.ts';
import type { Plant } from './plants.ts';
import { drawScenario, nameRoute, routeIds } from './scenario.ts';
import { Scheduler } from './scheduler.ts';
import { seededRandom } from './seeded-random.ts';
import { Trace } from './trace.ts';
import { Troubles } from './troubles.ts';
import { calm } from './weather.ts';
import { Workers } from './workers.ts';

export interface SeedResult {
  seed: number;
  violations: Violation[];
  /** Equal for equal runs. */
  trace: string;
  /** What happened, one line each; empty unless asked for. */
  lines: readonly string[];
  events: number;
  messages: number;
  simulatedMs: number;
  /** What workers reported that is no fault of the database or the network. */
  defects: unknown[];
}

/** Time for everything to be done when nothing goes wrong any more; the bound of the promise that no lane starves. */
const quietMsMax = 20_000;
/** Messages of a key leave one at a time: each may take a turn of a slow provider that others keep busy. */
const turnMsMax = 1_000;
const stopMs = 5_000;
/** In every fifth seed requests wait for connections; what the others draw, and seeds that broke a promise before, stay as they were. */
const connectsEvery = 5;
/** So it is with those in which one of the routes is that of callbacks, and the threads are busy now and then. */
const courteous = { every: 7, rest: 1, busyShare: 0.6 };
/** What was on its way when the troubles ended may be so late. */
const lateMsMax = 4_000;

/**
 * One seed: workers on a model of the database before a model of the provider. For a while everything goes wrong
 * that the seed draws; then nothing does, and all that was accepted must come to its end.
 */
export async function simulateSeed(
  seed: number,
  { plant = {}, keepLines = false }: { plant?: Plant; keepLines?: boolean } = {},
): Promise<SeedResult> {
  const random = seededRandom(seed);
  const trace = new Trace({ keepLines });
  const scheduler = new Scheduler(random, trace);
  const scenario = drawScenario(random);
  const { weather, shards } = scenario;
  const isCourteous = seed % courteous.every === courteous.rest && !scenario.flood;
  const courtesy = isCourteous ? seededRandom(seed + 1_000_000) : undefined;
  if (courtesy) nameRoute(scenario.routes[routeIds.resend - 1]!, callbackRouteName);
  const server = new ModelServer({ shards, scheduler, random, trace, weather });
  const workerIds = new Map<string, string>();
  const checker = new Checker(server, workerIds);
  const pace = new PaceChecker({
    routes: scenario.routes,
    nowMs: () => scheduler.nowMs,
    workerIds,
    isRegistered: (id) => server.database.workers.has(id),
    onExceeded: (detail) => checker.onExceeded(detail),
  });
  const { database } = server;
  const order = new OrderChecker({ database, onDisorder: (detail) => checker.onDisorder(detail) });
  const connects = seed % connectsEvery === 0 ? seededRandom(~seed) : undefined;
  const provider = new ModelProvider({
    ...{ scheduler, random, trace, checker, pace, order, weather },
    connects,
  });
  const business = courtesy && (() => (courtesy.chance(courteous.busyShare) ? 1 : courtesy.next()));
  const workers = new Workers({
    scenario,
    server,
    provider,
    plant,
    workerIds,
    ...(business && { business }),
  });
  const intake = new Intake({ scenario, server, checker, order, workers, plant });
  const operator = new Operator({ scenario, server, checker, intake, workers });
  const troubles = new Troubles({ scenario, server, provider, workers });
  const found = () => checker.violations.length > 0;

  workers.startAll();
  intake.begin();
  operator.begin();
  troubles.begin();
  await scheduler.run({ endMs: scenario.troubledMs, isDone: found });
  server.weather = calm;
  provider.weather = calm;
  provider.connects = undefined;
  troubles.end();
  checker.calmAfter(lateMsMax);
  await scheduler.run({ endMs: scenario.workMs, isDone: found });
  const waitsMs = order.longest * turnMsMax + intake.sharesMs;
  const endMs = Math.max(scenario.workMs, intake.lastDueMs) + quietMsMax + waitsMs;
  const isDone = () => intake.isOver && checker.open === 0 && operator.isOver && intake.batchesDone;
  await scheduler.run({ endMs, isDone: () => found() || isDone() });
  if (!found()) {
    checker.onEnd();
    const stoppedAtMs = scheduler.nowMs;
    const stopped = workers.stopAll(stopMs);
    await scheduler.run({ endMs: scheduler.nowMs + 2 * stopMs, isDone: stopped.done });
    checker.onStopped(stopped.names, scheduler.nowMs - stoppedAtMs);
  }
  return {
    seed,
    violations: checker.violations,
    trace: trace.hash,
    lines: trace.lines,
    events: scheduler.events,
    messages: checker.accepted,
    simulatedMs: scheduler.nowMs,
    defects: workers.defects(),
  };
}
