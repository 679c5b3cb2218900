import { systemClock } from '../../lib/clock.ts';
import { type Priority, priorityName } from '../../message/fields.ts';
import { opensAt } from '../../message/send-window/opens-at.ts';
import type { ControlCache } from '../../store/control/control-cache.ts';
import type { Queryable } from '../../store/database.ts';
import { gatherReports } from '../../store/delivery/gather-reports.ts';
import { readHeldBatches } from '../../store/delivery/read-held-batches.ts';
import type { LaneReport } from '../../store/delivery/worker-reports.ts';
import { countPending, type PendingLane } from '../../store/reading/count-pending.ts';
import { readWindowedBatches } from '../../store/reading/read-windowed-batches.ts';

export interface LaneShown {
  accountId: string;
  route: string;
  priority: Priority;
  /** Messages without a final state. */
  queued: number;
  /** Of those, the ones that workers have found to wait for room at their destinations. */
  aside: number;
  /** Of the queued ones, those of batches that are paused, or whose window is closed. */
  held: number;
  oldestDueAt: string | null;
  /** Messages handed to the provider a second. */
  sentPerSecond: number;
  /** What the workers may send through the route together; null for no limit. */
  ratePerSecond: number | null;
  /** What its account may send over all its routes; null for no limit. */
  accountRatePerSecond: number | null;
  concurrency: number;
  /** Of the route, while every lane of its priority that waits wants it. */
  share: number;
  breaker: string | null;
  /** What last kept a message of the lane from being sent, or the route's provider from all. */
  lastError: { code: string; at: string } | null;
  paused: boolean;
  /** While the window of the route is closed: when it opens. */
  opensAt: string | null;
}

/** The worst first: it is told of a lane that several workers have. */
const breakerOrder = ['open', 'half-open', 'closed'];

interface LaneSum extends Required<Omit<LaneReport, 'failing'>> {
  queued: number;
  held: number;
  oldestDueAt: Date | null;
}

/**
 * The lanes that have messages or send some, in order of route, account and priority: of all accounts, or of one.
 * Its share takes the others into account all the same.
 */
export async function showLanes(
  context: { database: Queryable; control: ControlCache },
  accountId: number | null,
): Promise<LaneShown[]> {
  const reports = (await gatherReports(context.database, systemClock)).flat();
  const lanes = await lanesOf(context, reports);
  return accountId === null ? lanes : lanes.filter((lane) => lane.accountId === String(accountId));
}

/** Those of all accounts, by what workers have just told. */
export async function lanesOf(
  { database, control }: { database: Queryable; control: ControlCache },
  reports: LaneReport[],
): Promise<LaneShown[]> {
  // First the reports, then the count: a chunk that ends in between counts as settled, never twice as waiting.
  const paused = (await readHeldBatches(database)).filter(({ canceled }) => !canceled).map(({ id }) => id);
  const { now, batches } = await readWindowedBatches(database);
  const closed = batches.filter(({ sendWindow }) => opensAt([sendWindow], now) !== null).map(({ id }) => id);
  const lanes = merge(await countPending(database, [...paused, ...closed]), reports);
  const weights = waitingWeights(lanes, control);
  return lanes.map((lane) => describe(lane, { control, weights, now })).sort(inOrder);
}

function merge(pending: PendingLane[], reports: LaneReport[]): LaneSum[] {
  const lanes = new Map<string, LaneSum>();
  const laneOf = (key: { accountId: number; routeId: number; priority: number }) => {
    const name = `${key.accountId}/${key.routeId}/${key.priority}`;
    const known = lanes.get(name);
    if (known) return known;
    const { routeId, priority } = key;
    const none = { settled: 0, aside: 0, sentPerSecond: 0, ratePerSecond: 0, concurrency: 0 };
    const lane: LaneSum = {
      accountId: key.accountId,
      routeId,
      priority,
      queued: 0,
      held: 0,
      oldestDueAt: null,
      ...none,
      breaker: null,
      lastError: null,
    };
    lanes.set(name, lane);
    return lane;
  };
  for (const row of pending) {
    const { messages: queued, held, oldestDueAt } = row;
    Object.assign(laneOf(row), { queued, held, oldestDueAt });
  }
  for (const report of reports) {
    const lane = laneOf(report);
    lane.settled += report.settled;
    lane.aside += report.aside ?? 0;
    lane.sentPerSecond += report.sentPerSecond;
    lane.concurrency += report.concurrency;
    const limited = lane.ratePerSecond !== null && report.ratePerSecond !== null;
    lane.ratePerSecond = limited ? lane.ratePerSecond! + report.ratePerSecond! : null;
    lane.breaker = worse(lane.breaker, report.breaker);
    lane.lastError = later(lane.lastError, report.lastError ?? null);
  }
  for (const lane of lanes.values()) lane.queued = Math.max(0, lane.queued - lane.settled);
  return [...lanes.values()].filter(({ queued, sentPerSecond }) => queued > 0 || sentPerSecond > 0);
}

function worse(one: string | null, other: string | null): string | null {
  if (one === null || other === null) return one ?? other;
  return breakerOrder.indexOf(other) < breakerOrder.indexOf(one) ? other : one;
}

function later(one: LaneSum['lastError'], other: typeof one): typeof one {
  if (one === null || other === null) return one ?? other;
  return Date.parse(other.at) > Date.parse(one.at) ? other : one;
}

/** The weights of the accounts that wait, by route and priority. */
function waitingWeights(lanes: LaneSum[], control: ControlCache): Map<string, number> {
  const weights = new Map<string, number>();
  for (const { routeId, priority, accountId } of lanes) {
    const name = `${routeId}/${priority}`;
    weights.set(name, (weights.get(name) ?? 0) + weightOf(control, accountId));
  }
  return weights;
}

function describe(
  lane: LaneSum,
  { control, weights, now }: { control: ControlCache; weights: Map<string, number>; now: Date },
): LaneShown {
  const { accountId, routeId, priority, queued, aside, held, oldestDueAt, sentPerSecond } = lane;
  const route = control.routeById(routeId);
  return {
    accountId: String(accountId),
    route: route?.name ?? String(routeId),
    priority: priorityName(priority),
    queued,
    aside,
    held: Math.min(held, queued),
    oldestDueAt: oldestDueAt?.toISOString() ?? null,
    sentPerSecond: Math.round(sentPerSecond * 10) / 10,
    ratePerSecond: route?.ratePerSecond === undefined ? null : lane.ratePerSecond,
    accountRatePerSecond: control.accountById(accountId)?.limits.ratePerSecond ?? null,
    concurrency: Math.round(lane.concurrency),
    share: weightOf(control, accountId) / weights.get(`${routeId}/${priority}`)!,
    breaker: lane.breaker,
    lastError: lane.lastError,
    paused: route?.paused ?? false,
    opensAt: opensAt([route?.sendWindow], now),
  };
}

function weightOf(control: ControlCache, accountId: number): number {
  return control.accountById(accountId)?.weight ?? 1;
}

export function inOrder(a: Pick<LaneShown, 'route' | 'accountId' | 'priority'>, b: typeof a): number {
  if (a.route !== b.route) return a.route < b.route ? -1 : 1;
  if (a.accountId !== b.accountId) return Number(a.accountId) - Number(b.accountId);
  return a.priority < b.priority ? 1 : a.priority > b.priority ? -1 : 0;
}
