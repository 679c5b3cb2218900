import { type Database, DatabaseError, type Queryable } from '../database.ts';

/** A new epoch of the change feed: the database is another, or an earlier one, than it was. */
export interface FeedEpochBegun {
  number: number;
  /** Cursors of before that are behind this are put back to it. */
  begins: bigint;
  /** Transactions are counted anew. */
  isShifted: boolean;
}

export interface SettleFeed {
  /**
   * Nothing writes when servers start behind a restore. Found while they run, a database that is another one may hold
   * what was written since: then cursors of before begin anew.
   */
  while: 'starting' | 'running';
}

/** Above every number that a cluster gives to transactions before it is replaced: 1.1 million million. */
const shiftStep = 1n << 40n;
/** Who uses the tables waits behind the change of a default. */
const tableLockMs = 1_000;
/** Not permitted, not supported, not there: of managed databases that hide where they are. */
const hiddenCodes: ReadonlySet<string> = new Set(['42501', '0A000', '42883']);

const whereabouts = {
  name: 'feed_whereabouts',
  text: `SELECT (SELECT system_identifier::text FROM pg_control_system()) AS cluster,
      ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint::text AS timeline`,
};

/** What is known of a database that does not say where it is: a count that went back gives it away all the same. */
const hidden = { name: 'feed_hidden', text: `SELECT '' AS cluster, '0' AS timeline` };

const newestEpoch = {
  name: 'feed_newest_epoch',
  text: `SELECT number, cluster, timeline::text, shift::text, settled::text, pg_current_xact_id()::text AS transaction,
      pg_snapshot_xmin(pg_current_snapshot())::text AS horizon
    FROM feed_epoch ORDER BY number DESC LIMIT 1 FOR UPDATE`,
};

const settleStatement = {
  name: 'feed_settle',
  text: `UPDATE feed_epoch SET cluster = $2, timeline = $3, settled = greatest(settled, $4),
      settled_at = CASE WHEN settled < $4 THEN clock_timestamp() ELSE settled_at END
    WHERE number = $1`,
};

const beginStatement = {
  name: 'feed_begin_epoch',
  text: `INSERT INTO feed_epoch (number, name, cluster, timeline, shift, begins, settled)
    VALUES ($1, left(md5(gen_random_uuid()::text), 8), $2, $3, $4, $5, $6) ON CONFLICT (number) DO NOTHING`,
};

/**
 * Writes down up to where the change feed is decided, and begins a new epoch where the database is another than it was.
 *
 * The row is copied to standbys and into dumps as everything is. Where a copy takes over, what lies below its `settled` is
 * what it was before, and only above may numbers be used again: a cursor goes back to there at most (docs/decisions/reading.md).
 *
 * Repeating it is free. On the primary alone.
 */
export async function settleFeed(
  database: Database,
  settings: SettleFeed,
): Promise<FeedEpochBegun | undefined> {
  try {
    return await database.transaction((transaction) => settle(transaction, whereabouts, settings));
  } catch (error) {
    if (!(error instanceof DatabaseError) || !hiddenCodes.has(error.fault.code)) throw error;
  }
  return await database.transaction((transaction) => settle(transaction, hidden, settings));
}

/** All on one connection: where it is and what it writes must be of one server. */
async function settle(
  transaction: Queryable,
  where: typeof whereabouts,
  settings: SettleFeed,
): Promise<FeedEpochBegun | undefined> {
  const { cluster, timeline } = (await transaction.query<{ cluster: string; timeline: string }>(where))
    .rows[0]!;
  const epoch = (await transaction.query<RawEpoch>(newestEpoch)).rows[0]!;
  const [shift, settled] = [BigInt(epoch.shift), BigInt(epoch.settled)];
  const next = shift + BigInt(epoch.transaction);
  const isSame = cluster === epoch.cluster && timeline === epoch.timeline;
  const wentBack = settled > next || (!isSame && (await isWritten(transaction, next)));
  if (!wentBack && (isSame || epoch.cluster === null)) {
    const horizon = shift + BigInt(epoch.horizon);
    await transaction.query(settleStatement, [epoch.number, cluster, timeline, horizon.toString()]);
    return undefined;
  }
  const isOther = wentBack || cluster !== epoch.cluster;
  const begun = {
    number: epoch.number + 1,
    begins: isOther && settings.while === 'running' ? 0n : settled,
    isShifted: wentBack,
  };
  const freshShift = wentBack ? shift + shiftStep : shift;
  if (wentBack) await countFrom(transaction, freshShift);
  await transaction.query(beginStatement, [
    ...[begun.number, cluster, timeline, freshShift.toString()],
    ...[begun.begins.toString(), settled.toString()],
  ]);
  return begun;
}

interface RawEpoch {
  [column: string]: unknown;
  number: number;
  cluster: string | null;
  timeline: string | null;
  shift: string;
  settled: string;
  transaction: string;
  horizon: string;
}

/** Whether there is something with this number or a higher one, which only another cluster can have given. */
async function isWritten(transaction: Queryable, number: bigint): Promise<boolean> {
  const { rows } = await transaction.query<{ written: boolean }>(
    {
      name: 'feed_is_written',
      text: `SELECT EXISTS (SELECT FROM outcome WHERE written_by >= $1)
          OR EXISTS (SELECT FROM batch_event WHERE written_by >= $1) AS written`,
    },
    [number.toString()],
  );
  return rows[0]!.written;
}

/** A constant in each row's INSERT, where nothing is looked up. What is inserted goes by the parents, not by their partitions. */
async function countFrom(transaction: Queryable, shift: bigint): Promise<void> {
  await transaction.query({ name: '', text: `SET LOCAL lock_timeout = ${tableLockMs}` });
  for (const table of ['outcome', 'batch_event']) {
    await transaction.query({
      name: '',
      text: `ALTER TABLE ONLY ${table} ALTER COLUMN written_by
        SET DEFAULT (pg_current_xact_id()::text::bigint + ${shift}::bigint)`,
    });
  }
}
