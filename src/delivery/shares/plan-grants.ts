import type { PaceDecision, PaceGrant, PaceState, Shares } from '../../store/delivery/pace-grants.ts';
import { divide, divideWhole } from './divide.ts';
import { type Need, neediest } from './neediest.ts';
import { wholeConnections } from './whole-connections.ts';

/** Something that workers share: messages a second, or connections, which are whole. */
export interface SharedLimit {
  total: number;
  whole: boolean;
  /** Of a destination's connections, the key of its route's: who has none of those can do nothing with these. */
  within?: string;
}

export interface GrantPlan {
  state: PaceState;
  /** By the keys of demands; undefined for what is not limited. */
  limitOf: (key: string) => SharedLimit | undefined;
  /** The workers that want some, in the order in which they get it: `total` is less than one for each. */
  inTurn: (key: string, workers: readonly string[], total: number) => string[];
}

/** The share of everything that is not named. */
export const allElse = '*';
/** A worker that wants nothing keeps this part of an equal share. */
const leastPart = 0.1;
/** Differences below this are those of rounding. */
const changeMin = 1e-6;
/** What a limit that is named already has before others, in parts of it. */
const namedBonus = 0.5;

interface Worker {
  id: string;
  demand: Record<string, number>;
  grant: PaceGrant;
  used: Shares;
  /** It follows its latest grant, so that it may get another one. */
  settled: boolean;
  /** It follows another grant of the same version, which a database lost when another took its place. */
  astray: boolean;
}

/**
 * The next grants, such that whatever workers have read of all grants so far, their shares never add up to more
 * than one. A grant is lowered at once; what that frees is given away when the worker has said that it follows
 * the lower one, or is gone. Until it has said that it follows a grant, a worker gets no other, so that two
 * versions at most can be in force and both are known: one is in its report, the other in its grant.
 */
export function planGrants({ state, limitOf, inTurn }: GrantPlan): Omit<PaceDecision, 'epoch' | 'round'> {
  const workers = state.workers.map((worker) => workerOf(worker, { grants: state.grants, limitOf }));
  const staying = workers.filter((_, index) => !state.workers[index]!.leaving);
  const alive = new Set(workers.map(({ id }) => id));
  const gone = [...new Set([...state.grants.keys(), ...state.reporters])].filter((id) => !alive.has(id));
  const wanted = wantedKeys(workers, limitOf);
  const keys = [allElse, ...namedKeys(workers, wanted)];
  const next = new Map(staying.map(({ id }) => [id, {} as Shares]));
  const planned = new Map<string, Targets>();
  // In alphabetical order a route's connections come before those of its destinations.
  for (const key of keys) {
    const isWanted = wanted.has(key) && staying.some(({ demand }) => demand[key]! > 0);
    const limit = isWanted ? limitOf(key) : undefined;
    const within = limit?.within === undefined ? undefined : planned.get(limit.within);
    const targets = targetsOf(key, { workers: staying, limit, within, inTurn });
    planned.set(key, targets);
    assign(key, { workers, staying, targets, limit, next });
  }
  const grants = staying.flatMap(({ id, grant, settled, astray }) => {
    const shares = next.get(id)!;
    if (!astray && (!settled || !differs(grant, shares))) return [];
    return [{ workerId: id, version: grant.version + 1, shares }];
  });
  return { grants, gone };
}

export function shareIn(shares: Shares, key: string): number {
  return shares[key] ?? shares[allElse] ?? 0;
}

function workerOf(
  worker: PaceState['workers'][number],
  { grants, limitOf }: Pick<GrantPlan, 'limitOf'> & { grants: PaceState['grants'] },
): Worker {
  const used = worker.report?.used ?? { version: 0, shares: {} };
  const written = grants.get(worker.id) ?? { version: 0, shares: {} };
  // It may follow one that a database lost when another took its place.
  const grant = used.version > written.version ? used : written;
  const demand = worker.report?.demand ?? {};
  // One that leaves begins nothing more, and its grant is void.
  const kept = worker.leaving && used.version < 0 ? { version: grant.version, shares: {} } : grant;
  const isLatest = used.version === grant.version;
  const settled = isLatest && agrees(used.shares, grant.shares, limitOf);
  return { id: worker.id, demand, grant: kept, used: used.shares, settled, astray: isLatest && !settled };
}

/** Of connections more may be in use than was granted: requests of an earlier grant have not been answered. */
function agrees(used: Shares, granted: Shares, limitOf: GrantPlan['limitOf']): boolean {
  return [...Object.keys(used), ...Object.keys(granted)].every((key) => {
    const more = shareIn(used, key) - shareIn(granted, key);
    return Math.abs(more) < changeMin || (more > 0 && key !== allElse && limitOf(key)?.whole !== false);
  });
}

/** What anybody wants, as far as it may be named. What is named already stays so unless others need far more. */
function wantedKeys(workers: readonly Worker[], limitOf: GrantPlan['limitOf']): Set<string> {
  const needs = new Map<string, Need>();
  for (const { demand, grant } of workers) {
    for (const [key, wanted] of Object.entries(demand)) {
      const limit = limitOf(key);
      if (limit === undefined) continue;
      const need = needs.get(key) ?? { key, limit, part: key in grant.shares ? namedBonus : 0 };
      need.part += wanted / limit.total;
      needs.set(key, need);
    }
  }
  return new Set(neediest([...needs.values()], 1 / workers.length));
}

/** What is wanted, or anybody has by name. With one worker alone there is nothing to divide. */
function namedKeys(workers: readonly Worker[], wanted: ReadonlySet<string>): string[] {
  const keys = new Set(wanted);
  for (const { grant, used } of workers) {
    for (const key of [...Object.keys(grant.shares), ...Object.keys(used)])
      if (key !== allElse) keys.add(key);
  }
  if (workers.every(({ settled }) => settled)) {
    for (const key of keys)
      if (!wanted.has(key) && workers.every((worker) => isPlain(worker, key))) keys.delete(key);
    if (workers.length === 1 && workers.every((worker) => [...keys].every((key) => isPlain(worker, key))))
      return [];
  }
  return [...keys].sort();
}

/** It has of this what it has of everything. */
function isPlain({ grant, used }: Worker, key: string): boolean {
  const plain = (shares: Shares) => shareIn(shares, key) === shareIn(shares, allElse);
  return plain(grant.shares) && plain(used);
}

/** What each should have, by worker. */
type Targets = ReadonlyMap<string, number>;

interface Wanted {
  workers: readonly Worker[];
  /** Undefined while nobody wants any: then each has an equal share. */
  limit: SharedLimit | undefined;
  /** Of that within which the limit is. */
  within: Targets | undefined;
  inTurn: GrantPlan['inTurn'];
}

function targetsOf(key: string, { workers, limit, within, inTurn }: Wanted): Targets {
  const equal = 1 / workers.length;
  const needOf = ({ demand }: Worker) => demand[key] ?? 0;
  if (limit === undefined) return new Map(workers.map(({ id }) => [id, equal]));
  const { total } = limit;
  if (!limit.whole) {
    const parts = divide(total, workers.map(needOf), total * equal * leastPart);
    return new Map(workers.map(({ id }, index) => [id, parts[index]! / total]));
  }
  const isUseless = ({ id }: Worker) => within?.get(id) === 0;
  const needs = new Map(workers.map((worker) => [worker.id, isUseless(worker) ? 0 : needOf(worker)]));
  const ids = workers.map(({ id }) => id).sort();
  const wanting = ids.filter((id) => needs.get(id)! > 0);
  const others = ids.filter((id) => needs.get(id)! <= 0);
  const order = [...(total < wanting.length ? inTurn(key, wanting, total) : wanting), ...others];
  const parts = divideWhole(
    total,
    order.map((id) => needs.get(id)!),
  );
  return new Map(order.map((id, index) => [id, parts[index]! / total]));
}

interface Assignment {
  workers: readonly Worker[];
  staying: readonly Worker[];
  targets: Targets;
  limit: SharedLimit | undefined;
  next: ReadonlyMap<string, Shares>;
}

/** Lowers at once, and raises by what is free. */
function assign(key: string, { workers, staying, targets, limit, next }: Assignment): void {
  const out = (worker: Worker) => Math.max(shareIn(worker.grant.shares, key), shareIn(worker.used, key));
  let free = 1 - workers.reduce((sum, worker) => sum + out(worker), 0);
  for (const worker of staying) {
    const present = shareIn(worker.grant.shares, key);
    const target = targets.get(worker.id)!;
    let share = present;
    if (worker.settled && target < present) share = target;
    else if (worker.settled && target > present) {
      // Below zero `free` is what one that came back under another id still uses: it has no right to that any more.
      share = Math.max(present, Math.min(target, wholeOf(out(worker) + free, limit)));
      free -= Math.max(0, share - out(worker));
    }
    next.get(worker.id)![key] = share;
  }
}

/** The largest share of whole connections that is not above. */
function wholeOf(share: number, limit: SharedLimit | undefined): number {
  return limit?.whole ? wholeConnections(limit.total, share) / limit.total : share;
}

function differs({ version, shares }: PaceGrant, next: Shares): boolean {
  if (version === 0) return Object.values(next).some((share) => share > 0);
  const keys = new Set([...Object.keys(shares), ...Object.keys(next)]);
  for (const key of keys) {
    const [before, after] = [shareIn(shares, key), shareIn(next, key)];
    if (before !== after && (Math.abs(before - after) >= changeMin || before === 0 || after === 0))
      return true;
  }
  return Object.keys(shares).some((key) => !(key in next));
}
