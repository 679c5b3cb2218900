import { callbackRouteName } from '../../message/webhook.ts';
import type { ControlCache } from '../../store/control/control-cache.ts';
import { errorMinutes } from '../../store/delivery/worker-reports.ts';
import type { LaneShown } from '../reading/show-lanes.ts';
import type { ErrorShown, LiveSnapshot, Rates, WorkerShown } from './live-snapshot.ts';

/** Of a larger installation the deepest lanes are told, the most frequent errors, and how many there are. */
const lanesMax = 200;
const errorsMax = 200;

interface RouteShown extends Rates {
  name: string;
  paused: boolean;
  /** The worst over workers and lanes; null where nothing waits or the route has none. */
  breaker: string | null;
  /** What its workers may send together now; null for no limit. */
  ratePerSecond: number | null;
  /** Requests at once that its provider bears now. */
  concurrency: number;
  queued: number;
  held: number;
  oldestDueAt: string | null;
  opensAt: string | null;
  lastError: LaneShown['lastError'];
}

/** One event of `GET /v1/live`, as one account, or an administrator, sees it. */
export interface LiveView {
  at: string;
  rates: Rates;
  backlog: { queued: number; held: number; aside: number; oldestDueAt: string | null };
  routes: RouteShown[];
  lanes: LaneShown[];
  lanesTotal: number;
  errors: ErrorShown[];
  errorsTotal: number;
  errorMinutes: number;
  /** Names of the accounts above, by their ids. */
  accounts: Record<string, string>;
  /** How many workers there are, and how many have told of themselves lately: the figures are of those. */
  told: { workers: number; reporting: number };
  /** For administrators alone. */
  workers: WorkerShown[] | null;
  unownedShards: number | null;
}

/** The part of a snapshot that one account may see; `null` for all of it. */
export function viewOf(
  snapshot: LiveSnapshot,
  { accountId, control }: { accountId: number | null; control: ControlCache },
): LiveView {
  const isOwn = (id: string | number) => accountId === null || String(id) === String(accountId);
  const lanes = snapshot.lanes.filter((lane) => isOwn(lane.accountId));
  const errors = snapshot.errors.filter((error) => isOwn(error.accountId));
  const flows = snapshot.flows.filter((flow) => isOwn(flow.accountId));
  const deepest = [...lanes].sort((one, other) => other.queued - one.queued).slice(0, lanesMax);
  const frequent = errors.slice(0, errorsMax);
  const names = new Set([...deepest, ...frequent].map(({ accountId: id }) => id));
  return {
    at: snapshot.at,
    rates: sumOfRates(flows.filter(isOfMessages)),
    backlog: backlogOf(lanes.filter(isOfMessages)),
    routes: routesOf({ lanes, flows, leased: snapshot.leased, borne: snapshot.borne, control }),
    lanes: deepest,
    lanesTotal: lanes.length,
    errors: frequent,
    errorsTotal: errors.length,
    errorMinutes,
    accounts: Object.fromEntries([...names].map((id) => [id, control.accountById(Number(id))?.name ?? id])),
    told: {
      workers: snapshot.workers.length,
      reporting: snapshot.workers.filter(({ reporting }) => reporting).length,
    },
    workers: accountId === null ? snapshot.workers : null,
    unownedShards: accountId === null ? snapshot.unownedShards : null,
  };
}

/** Callbacks tell of messages and are none: they are shown as the route and the lanes that they take. */
function isOfMessages({ route }: { route: string }): boolean {
  return route !== callbackRouteName;
}

function sumOfRates(flows: readonly Rates[]): Rates {
  const sum = { accepted: 0, sent: 0, delivered: 0, failed: 0, retried: 0, uncertain: 0 };
  for (const flow of flows) for (const name of Object.keys(sum) as (keyof Rates)[]) sum[name] += flow[name];
  for (const name of Object.keys(sum) as (keyof Rates)[]) sum[name] = Math.round(sum[name] * 10) / 10;
  return sum;
}

function backlogOf(lanes: LaneShown[]): LiveView['backlog'] {
  const total = (field: 'queued' | 'held' | 'aside') => lanes.reduce((sum, lane) => sum + lane[field], 0);
  return {
    queued: total('queued'),
    held: total('held'),
    aside: total('aside'),
    oldestDueAt: oldestOf(lanes),
  };
}

/** Times of one format sort as texts. */
function oldestOf(lanes: LaneShown[]): string | null {
  return lanes.flatMap(({ oldestDueAt }) => oldestDueAt ?? []).sort()[0] ?? null;
}

const breakerOrder = ['open', 'half-open', 'closed'];

function routesOf(at: {
  lanes: LaneShown[];
  flows: LiveSnapshot['flows'];
  leased: LiveSnapshot['leased'];
  borne: LiveSnapshot['borne'];
  control: ControlCache;
}): RouteShown[] {
  const { lanes, flows, leased, borne, control } = at;
  const names = new Set([...lanes, ...flows].map(({ route }) => route));
  return [...names].sort().map((name) => {
    const own = lanes.filter(({ route }) => route === name);
    const breakers = own.flatMap(({ breaker }) => breaker ?? []);
    const errors = own.flatMap(({ lastError }) => lastError ?? []).sort((a, b) => (a.at < b.at ? 1 : -1));
    const { queued, held, oldestDueAt } = backlogOf(own);
    return {
      name,
      paused: own[0]?.paused ?? control.routeByName(name)?.paused ?? false,
      breaker: breakerOrder.find((state) => breakers.includes(state)) ?? null,
      ratePerSecond: own[0]?.ratePerSecond === null ? null : (leased.get(name) ?? null),
      concurrency: borne.get(name) ?? 0,
      ...{ queued, held, oldestDueAt },
      opensAt: own[0]?.opensAt ?? null,
      lastError: errors[0] ?? null,
      ...sumOfRates(flows.filter(({ route }) => route === name)),
    };
  });
}
