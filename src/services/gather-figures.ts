import type { Clock } from '../lib/clock.ts';
import { priorityName } from '../message/fields.ts';
import { opensAt } from '../message/send-window/opens-at.ts';
import type { BacklogState, DatabaseState } from '../observe/figures/database-figures.ts';
import type { Database } from '../store/database.ts';
import { readHeldBatches } from '../store/delivery/read-held-batches.ts';
import type { Fault } from '../store/fault.ts';
import { type BacklogRow, readBacklog } from '../store/inspection/read-backlog.ts';
import { readOldestTransactionMs } from '../store/inspection/read-oldest-transaction.ts';
import { readPendingSize } from '../store/inspection/read-pending-size.ts';
import { readRouteSwitches } from '../store/inspection/read-route-switches.ts';
import { countOrphanedShards } from '../store/inspection/read-workers.ts';
import { isReadOnly } from '../store/is-read-only.ts';
import { partitionsAhead } from '../store/partitions.ts';
import { readWindowedBatches } from '../store/reading/read-windowed-batches.ts';

export interface GatherFiguresSettings {
  database: Database;
  /** Why nothing could be written lately, if the database was full. */
  full: () => Fault | undefined;
  clock: Clock;
  onError: (error: unknown) => void;
}

/** What was gathered is told again for so long, however many ask. */
const keptMs = 5_000;
/** With a large backlog it takes longer: of the time of one connection it gets so small a part. */
const timeShare = 0.05;
/** Whoever asks waits no longer: monitoring that gets no answer knows less than one that gets a part. */
const waitMs = 3_000;

/**
 * Figures that describe the database, gathered only when somebody asks, and seldom. Undefined while the database does not
 * tell them.
 */
export function gatherFigures({
  database,
  full,
  clock,
  onError,
}: GatherFiguresSettings): () => Promise<DatabaseState | undefined> {
  let gathering: Promise<DatabaseState | undefined> | undefined;
  let againAtMs = Number.NEGATIVE_INFINITY;

  async function gather(): Promise<DatabaseState | undefined> {
    const beganMs = clock.monotonicMs();
    againAtMs = Number.POSITIVE_INFINITY;
    try {
      return { ...(await readState(database)), writable: !(await isReadOnly(database)) && !full() };
    } catch (error) {
      onError(error);
      return undefined;
    } finally {
      const nowMs = clock.monotonicMs();
      againAtMs = nowMs + Math.max(keptMs, (nowMs - beganMs) / timeShare);
    }
  }

  return () => {
    if (gathering === undefined || clock.monotonicMs() >= againAtMs) gathering = gather();
    return Promise.race([gathering, clock.sleep(waitMs).then(() => undefined)]);
  };
}

async function readState(database: Database): Promise<Omit<DatabaseState, 'writable'>> {
  const switches = await readRouteSwitches(database);
  const routes = switches.map(({ route, paused, sendWindow, now }) => ({
    route,
    paused,
    closed: sendWindow !== null && opensAt([sendWindow], now) !== null,
  }));
  const held = (await readHeldBatches(database)).map(({ id }) => id);
  const { now, batches } = await readWindowedBatches(database);
  const closed = batches.filter(({ sendWindow }) => opensAt([sendWindow], now) !== null).map(({ id }) => id);
  const backlog = await readBacklog(database, [...held, ...closed]);
  const ahead = await partitionsAhead(database);
  return {
    backlog: byName(backlog, new Set(routes.filter((route) => route.paused || route.closed).map(nameOf))),
    routes,
    shardsWithoutOwner: await countOrphanedShards(database),
    oldestTransactionMs: await readOldestTransactionMs(database),
    partitionsAhead: Math.min(...ahead.map(({ days }) => days)),
    deadPendingRows: (await readPendingSize(database)).deadRows,
  };
}

function nameOf({ route }: { route: string }): string {
  return route;
}

/** What is left of a route that was deleted stands beside that of another with its name. */
function byName(rows: readonly BacklogRow[], stopped: ReadonlySet<string>): BacklogState[] {
  return rows.map(({ route, priority, messages, held, oldestMs }) => ({
    route,
    priority: priorityName(priority),
    messages,
    held,
    oldestMs: stopped.has(route) ? 0 : Math.max(0, oldestMs ?? 0),
  }));
}
