import { shardOf } from '../../src/message/id.ts';
import { stateName, stateNumber } from '../../src/message/state.ts';
import type { Books } from './books.ts';
import { arrivalsSettleMs, type Fault, isKill } from './faults.ts';
import { batchMax, leaseMs, type RouteName, routeConcurrency, routeNames } from './installation.ts';
import type { Repeat, SinkWatch } from './sink-watch.ts';

export interface FaultReport {
  number: number;
  kind: string;
  of: string;
  lastedMs: number;
  /** Of `resend`: handed over and not recorded at the fault, and of these, sent again because of it. */
  open: number;
  sentAgain: number;
  /** Of `resend`: begun before a suspension and arrived after it; at most what may be on its way at once. */
  late: number;
  /** Of `hold`: marked or handed over, and not recorded; and of these, uncertain now. */
  marked: number;
  uncertain: number;
}

export interface RouteReport {
  accepted: number;
  delivered: number;
  /** Accepted, not at the sink, and not called uncertain either. */
  lost: number;
  duplicates: number;
  uncertain: number;
  /** Uncertain messages that the sink has, and that it has not: nobody but the sink can know. */
  uncertainDelivered: number;
  /** Accepted messages that the database does not have exactly once, and others than accepted ones. */
  intakeWrong: number;
  /** Messages by the state in which they ended, other than `sent` and `uncertain`. */
  otherStates: Record<string, number>;
}

export interface ChaosReport {
  seed: number;
  kills: number;
  suspensions: number;
  cuts: number;
  seconds: number;
  routes: Record<RouteName, RouteReport>;
  /** Duplicates of `resend`, and uncertain messages of `hold`, that no fault explains. */
  unexplained: { duplicates: number; uncertain: number; examples: string[] };
  faults: FaultReport[];
  /** The promises that did not hold, in words; empty when all did. */
  broken: string[];
}

const examplesMax = 10;

export interface Evidence {
  seed: number;
  seconds: number;
  faults: readonly Fault[];
  books: Books;
  sinks: Record<RouteName, SinkWatch>;
  accepted: Record<RouteName, ReadonlySet<string>>;
}

/** Sets what was accepted against what the sinks got and the database says, and each oddity against a fault. */
export async function judge(evidence: Evidence): Promise<ChaosReport> {
  const { seed, seconds, faults, sinks } = evidence;
  const uncertainIds = new Set<string>();
  const routes = {} as Record<RouteName, RouteReport>;
  for (const route of routeNames) routes[route] = await judgeRoute(route, evidence, uncertainIds);
  const reports = faults.map(reportOf);
  const unexplainedRepeats = sinks.resend.repeats.filter((repeat) => !explainRepeat(repeat, faults, reports));
  const unexplainedUncertain = [...uncertainIds].filter((id) => !explainUncertain(id, faults, reports));
  const report: ChaosReport = {
    seed,
    seconds,
    kills: faults.filter(isKill).length,
    suspensions: faults.filter(({ kind }) => kind === 'suspend worker').length,
    cuts: faults.filter(({ kind }) => kind.startsWith('cut')).length,
    routes,
    unexplained: {
      duplicates: unexplainedRepeats.length,
      uncertain: unexplainedUncertain.length,
      examples: [
        ...unexplainedRepeats.slice(0, examplesMax).map((repeat) => describeRepeat(repeat, faults)),
        ...unexplainedUncertain.slice(0, examplesMax),
      ],
    },
    faults: reports,
    broken: [],
  };
  report.broken = brokenPromises(report);
  return report;
}

async function judgeRoute(
  route: RouteName,
  { books, sinks, accepted }: Evidence,
  uncertainIds: Set<string>,
): Promise<RouteReport> {
  const report: RouteReport = {
    accepted: accepted[route].size,
    delivered: sinks[route].distinct,
    lost: 0,
    duplicates: sinks[route].repeats.length,
    uncertain: 0,
    uncertainDelivered: 0,
    intakeWrong: 0,
    otherStates: {},
  };
  const found = new Set<string>();
  for await (const { id, ref, state } of books.messages(route)) {
    if (found.has(ref) || !accepted[route].has(ref)) report.intakeWrong++;
    found.add(ref);
    const arrived = sinks[route].has(id);
    if (state === stateNumber.uncertain) {
      report.uncertain++;
      if (arrived) report.uncertainDelivered++;
      uncertainIds.add(id);
      continue;
    }
    if (!arrived) report.lost++;
    if (state !== stateNumber.sent) {
      const name = stateName(state);
      report.otherStates[name] = (report.otherStates[name] ?? 0) + 1;
    }
  }
  for (const ref of accepted[route]) {
    if (found.has(ref)) continue;
    report.intakeWrong++;
    report.lost++;
  }
  return report;
}

function reportOf({ kind, of, beganAt, endedAt, handedOver, marked }: Fault, index: number): FaultReport {
  const both = new Set([...handedOver.hold, ...marked]);
  return {
    number: index + 1,
    kind,
    of,
    lastedMs: endedAt - beganAt,
    open: handedOver.resend.size,
    sentAgain: 0,
    late: 0,
    marked: both.size,
    uncertain: 0,
  };
}

/** A message may come again when it had come before a fault, was not recorded at it, and came again after it. */
function explainRepeat(repeat: Repeat, faults: readonly Fault[], reports: FaultReport[]): boolean {
  const by = faults.findIndex((fault) => {
    const settledAt = fault.beganAt + 2 * arrivalsSettleMs;
    if (repeat.beforeAt > settledAt || repeat.at < fault.beganAt) return false;
    if (fault.handedOver.resend.has(repeat.id)) return true;
    // What left a process before the fault and was read by the sink after the ledger was.
    return fault.shards?.has(shardOf(repeat.id)) === true && repeat.beforeAt > fault.beganAt;
  });
  if (by >= 0) {
    reports[by]!.sentAgain++;
    return true;
  }
  const late = faults.findIndex((fault, index) => wasBegunBefore(repeat, fault, reports[index]!));
  if (late < 0) return false;
  reports[late]!.late++;
  return true;
}

/** A suspended worker may finish the requests that it had begun: they arrive when it wakes. */
function wasBegunBefore(repeat: Repeat, fault: Fault, report: FaultReport): boolean {
  if (fault.kind !== 'suspend worker' || report.late >= routeConcurrency * batchMax.resend) return false;
  const whileAsleep = repeat.at >= fault.beganAt && repeat.at <= fault.endedAt + leaseMs;
  return whileAsleep && fault.shards?.has(shardOf(repeat.id)) === true;
}

/** For whoever looks for the reason: both arrivals by the faults before them. */
function describeRepeat({ id, beforeAt, at }: Repeat, faults: readonly Fault[]): string {
  const place = (moment: number) => {
    const index = faults.findLastIndex(({ beganAt }) => beganAt <= moment);
    return index < 0
      ? 'before any fault'
      : `${Math.round(moment - faults[index]!.beganAt)} ms after fault ${index + 1}`;
  };
  return `${id} (shard ${shardOf(id)}) came ${place(beforeAt)} and ${place(at)}`;
}

function explainUncertain(id: string, faults: readonly Fault[], reports: FaultReport[]): boolean {
  const by = faults.findLastIndex(({ handedOver, marked }) => handedOver.hold.has(id) || marked.has(id));
  if (by < 0) return false;
  reports[by]!.uncertain++;
  return true;
}

function brokenPromises({ routes, unexplained, faults }: ChaosReport): string[] {
  const broken: string[] = [];
  for (const route of routeNames) {
    const { lost, intakeWrong, otherStates, delivered } = routes[route];
    if (lost > 0) broken.push(`${route}: ${lost} accepted messages are lost`);
    if (intakeWrong > 0) broken.push(`${route}: ${intakeWrong} messages are not stored exactly once`);
    if (Object.keys(otherStates).length > 0)
      broken.push(`${route}: ended otherwise than sent: ${JSON.stringify(otherStates)}`);
    if (delivered === 0) broken.push(`${route}: nothing was delivered`);
  }
  if (routes.hold.duplicates > 0) broken.push(`hold: ${routes.hold.duplicates} messages came twice`);
  if (routes.resend.uncertain > 0) broken.push(`resend: ${routes.resend.uncertain} messages are uncertain`);
  if (unexplained.duplicates > 0)
    broken.push(`resend: ${unexplained.duplicates} messages came again for no known reason`);
  if (unexplained.uncertain > 0)
    broken.push(`hold: ${unexplained.uncertain} messages are uncertain for no known reason`);
  for (const { number, open, sentAgain } of faults) {
    if (sentAgain > open + routeConcurrency)
      broken.push(`fault ${number}: ${sentAgain} came again, only ${open} were open`);
  }
  return broken;
}
