import { shardOf } from '../../src/message/id.ts';
import { stateName, stateNumber } from '../../src/message/state.ts';
import type { Books } from './books.ts';
import { Explainer, type Explanation, requestsByFault } from './explain.ts';
import { type Fault, isKill } from './faults.ts';
import type { Unanswered } from './handover-watch.ts';
import { type RouteName, routeNames } from './installation.ts';
import type { Repeat, SinkWatch } from './sink-watch.ts';

export interface FaultReport {
  number: number;
  kind: string;
  of: string;
  lastedMs: number;
  /** Of `resend`: handed over and not recorded at the fault, or without an answer since; and of these, sent again. */
  open: number;
  sentAgain: number;
  /** Of `resend`: begun before a suspension and arrived after it; at most what may be on its way at once. */
  late: number;
  /** Of `hold`: marked, handed over and not recorded, or without an answer since; and of these, uncertain now. */
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
  unexplained: { duplicates: number; uncertain: number; requests: number; examples: string[] };
  /** Every duplicate and every uncertain message, with the fault (by its number) that it comes of. */
  explained: { duplicates: Explanation[]; uncertain: Explanation[] };
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
  /** Requests of each route whose answer did not get through. */
  unanswered: Record<RouteName, readonly Unanswered[]>;
  accepted: Record<RouteName, ReadonlySet<string>>;
}

/** Sets what was accepted against what the sinks got and the database says, and each oddity against a fault. */
export async function judge(evidence: Evidence): Promise<ChaosReport> {
  const { seed, seconds, faults, sinks, unanswered } = evidence;
  const uncertainIds: string[] = [];
  const routes = {} as Record<RouteName, RouteReport>;
  for (const route of routeNames) routes[route] = await judgeRoute(route, evidence, uncertainIds);
  const resend = requestsByFault(unanswered.resend, faults);
  const hold = requestsByFault(unanswered.hold, faults);
  const resendExplainer = new Explainer('resend', { faults, unanswered: resend.byFault });
  const holdExplainer = new Explainer('hold', { faults, unanswered: hold.byFault });
  const duplicates = explainAll(sinks.resend.repeats, (repeat) => resendExplainer.repeat(repeat));
  const early = explainAll(uncertainIds, (id) => holdExplainer.uncertain(id));
  const times = await evidence.books.markTimes(early.rest);
  const late = explainAll(early.rest, (id) => times.has(id) && holdExplainer.lateMark(id, times.get(id)!));
  const uncertain = { explained: [...early.explained, ...late.explained], rest: late.rest };
  const requests = [...resend.unexplained, ...hold.unexplained];
  const report: ChaosReport = {
    seed,
    seconds,
    kills: faults.filter(isKill).length,
    suspensions: faults.filter(({ kind }) => kind === 'suspend worker').length,
    cuts: faults.filter(({ kind }) => kind.startsWith('cut')).length,
    routes,
    unexplained: {
      duplicates: duplicates.rest.length,
      uncertain: uncertain.rest.length,
      requests: requests.length,
      examples: [
        ...duplicates.rest.slice(0, examplesMax).map((repeat) => describeRepeat(repeat, faults)),
        ...uncertain.rest.slice(0, examplesMax),
        ...requests.slice(0, examplesMax).map((request) => describeRequest(request, faults)),
      ],
    },
    explained: { duplicates: duplicates.explained, uncertain: uncertain.explained },
    faults: faults.map((fault, index) =>
      reportOf(fault, {
        number: index + 1,
        unanswered: { resend: resend.byFault[index]!, hold: hold.byFault[index]! },
        duplicates: duplicates.explained,
        uncertain: uncertain.explained,
      }),
    ),
    broken: [],
  };
  report.broken = brokenPromises(report);
  return report;
}

/** Each thing by its reason, the faults by their numbers; and what has none. */
function explainAll<Thing>(
  things: readonly Thing[],
  explain: (thing: Thing) => Explanation | false | undefined,
): { explained: Explanation[]; rest: Thing[] } {
  const explained: Explanation[] = [];
  const rest: Thing[] = [];
  for (const thing of things) {
    const explanation = explain(thing);
    if (explanation) explained.push({ ...explanation, fault: explanation.fault + 1 });
    else rest.push(thing);
  }
  return { explained, rest };
}

async function judgeRoute(
  route: RouteName,
  { books, sinks, accepted }: Evidence,
  uncertainIds: string[],
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
      uncertainIds.push(id);
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

function reportOf(
  { kind, of, beganAt, endedAt, handedOver, marked }: Fault,
  {
    number,
    unanswered,
    duplicates,
    uncertain,
  }: {
    number: number;
    unanswered: Record<RouteName, Unanswered[]>;
    duplicates: Explanation[];
    uncertain: Explanation[];
  },
): FaultReport {
  const open = new Set([...handedOver.resend, ...unanswered.resend.flatMap(({ ids }) => ids)]);
  const held = new Set([...handedOver.hold, ...marked, ...unanswered.hold.flatMap(({ ids }) => ids)]);
  const again = duplicates.filter(({ fault }) => fault === number);
  const late = again.filter(({ reason }) => reason === 'late').length;
  return {
    number,
    kind,
    of,
    lastedMs: endedAt - beganAt,
    open: open.size,
    sentAgain: again.length - late,
    late,
    marked: held.size,
    uncertain: uncertain.filter(({ fault }) => fault === number).length,
  };
}

/** For whoever looks for the reason: both arrivals by the faults before them. */
function describeRepeat({ id, beforeAt, at }: Repeat, faults: readonly Fault[]): string {
  return `${id} (shard ${shardOf(id)}) came ${placeOf(beforeAt, faults)} and ${placeOf(at, faults)}`;
}

function describeRequest({ ids, by, endedAt }: Unanswered, faults: readonly Fault[]): string {
  return `a request of ${ids[0]} was ended by the ${by} ${placeOf(endedAt, faults)}`;
}

function placeOf(moment: number, faults: readonly Fault[]): string {
  const index = faults.findLastIndex(({ beganAt }) => beganAt <= moment);
  return index < 0
    ? 'before any fault'
    : `${Math.round(moment - faults[index]!.beganAt)} ms after fault ${index + 1}`;
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
  if (unexplained.requests > 0)
    broken.push(`${unexplained.requests} requests were left without an answer for no known reason`);
  for (const { number, open, sentAgain } of faults) {
    if (sentAgain > open) broken.push(`fault ${number}: ${sentAgain} came again, only ${open} were open`);
  }
  return broken;
}
