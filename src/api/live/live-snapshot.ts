import type { ControlCache } from '../../store/control/control-cache.ts';
import type { Queryable } from '../../store/database.ts';
import { wantReports } from '../../store/delivery/worker-reports.ts';
import { type AcceptedRate, readIntakeReports } from '../../store/intake/intake-reports.ts';
import { type LiveWorker, readLive } from '../../store/reading/read-live.ts';
import { type LaneShown, lanesOf } from '../reading/show-lanes.ts';

/** What flows a second, in messages. */
export interface Rates {
  accepted: number;
  /** Taken by providers. */
  sent: number;
  /** Told to be delivered by receipts. */
  delivered: number;
  failed: number;
  retried: number;
  uncertain: number;
}

/** Rates of one account on one route. */
export interface Flow extends Rates {
  accountId: number;
  route: string;
}

export interface ErrorShown {
  accountId: string;
  route: string;
  code: string;
  count: number;
}

export interface WorkerShown {
  id: string;
  host: string;
  pid: number;
  shards: number;
  leaving: boolean;
  /** It has told of itself within the last seconds. */
  reporting: boolean;
}

/** Everything that is known of this moment, of all accounts. */
export interface LiveSnapshot {
  /** By the database's clock. */
  at: string;
  lanes: LaneShown[];
  flows: Flow[];
  errors: ErrorShown[];
  /** What the workers may send through each route together, by its name; null for no limit. */
  leased: Map<string, number | null>;
  /** Requests at once that the provider of each route bears of the workers together, by its name. */
  borne: Map<string, number>;
  workers: WorkerShown[];
  unownedShards: number;
}

/** Workers and servers report once a second; one that misses two turns is not counted as telling. */
const freshMs = 2_500;

/** The figures of the whole installation: what workers and servers tell, and what is pending. */
export async function takeSnapshot(context: {
  database: Queryable;
  control: ControlCache;
}): Promise<LiveSnapshot> {
  const { database, control } = context;
  await wantReports(database);
  const { now, unownedShards, workers } = await readLive(database, freshMs);
  const accepted = (await readIntakeReports(database, freshMs)).flat();
  const lanes = await lanesOf(
    context,
    workers.flatMap((worker) => worker.lanes ?? []),
  );
  const routeName = (id: number) => control.routeById(id)?.name ?? String(id);
  return {
    at: now.toISOString(),
    lanes,
    flows: flowsOf(workers, { accepted, routeName }),
    errors: errorsOf(workers, routeName),
    leased: leasedRates(workers, routeName),
    borne: borneRequests(workers, routeName),
    workers: workers.map(({ id, host, pid, shards, leaving, lanes: told }) => ({
      ...{ id, host, pid, shards, leaving },
      reporting: told !== null,
    })),
    unownedShards,
  };
}

const noRates = { accepted: 0, sent: 0, delivered: 0, failed: 0, retried: 0, uncertain: 0 };

function flowsOf(
  workers: LiveWorker[],
  { accepted, routeName }: { accepted: AcceptedRate[]; routeName: (id: number) => string },
): Flow[] {
  const flows = new Map<string, Flow>();
  const told = workers.flatMap(({ activity }) => activity?.rates ?? []);
  for (const rates of [...told, ...accepted]) {
    const { accountId, routeId, ...fields } = rates;
    const name = `${accountId}/${routeId}`;
    const flow = flows.get(name) ?? { accountId, route: routeName(routeId), ...noRates };
    flows.set(name, flow);
    for (const [field, value] of Object.entries(fields) as [keyof Rates, number][]) flow[field] += value;
  }
  return [...flows.values()];
}

/** The same error met by several workers counts once, with the sum. */
function errorsOf(workers: LiveWorker[], routeName: (id: number) => string): ErrorShown[] {
  const errors = new Map<string, ErrorShown>();
  for (const { accountId, routeId, code, count } of workers.flatMap(
    ({ activity }) => activity?.errors ?? [],
  )) {
    const name = `${accountId}/${routeId}/${code}`;
    const known = errors.get(name);
    if (known) known.count += count;
    else errors.set(name, { accountId: String(accountId), route: routeName(routeId), code, count });
  }
  return [...errors.values()].sort((one, other) => other.count - one.count);
}

/** Each worker tells the same of all lanes of a route. */
function leasedRates(workers: LiveWorker[], routeName: (id: number) => string): Map<string, number | null> {
  const leased = new Map<string, number | null>();
  for (const { lanes } of workers) {
    const ofWorker = new Map((lanes ?? []).map(({ routeId, ratePerSecond }) => [routeId, ratePerSecond]));
    for (const [routeId, rate] of ofWorker) {
      const name = routeName(routeId);
      const known = leased.get(name);
      leased.set(name, rate === null || known === null ? null : (known ?? 0) + rate);
    }
  }
  return leased;
}

/** Each worker tells it of the whole route with each lane, less where the lane's account bears less. */
function borneRequests(workers: LiveWorker[], routeName: (id: number) => string): Map<string, number> {
  const borne = new Map<string, number>();
  for (const { lanes } of workers) {
    const ofWorker = new Map<string, number>();
    for (const { routeId, concurrency } of lanes ?? []) {
      const name = routeName(routeId);
      ofWorker.set(name, Math.max(concurrency, ofWorker.get(name) ?? 0));
    }
    for (const [name, requests] of ofWorker) borne.set(name, (borne.get(name) ?? 0) + requests);
  }
  return borne;
}
