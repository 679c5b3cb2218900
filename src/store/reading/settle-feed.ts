import { type Database, DatabaseError, type Queryable } from '../database.ts';
import { writtenTimeline } from '../written-timeline.ts';
import { countsApart } from './feed-numbers.ts';

/** A new epoch of the change feed: the database is another, or an earlier one, than it was. */
export interface FeedEpochBegun {
  number: number;
  /** Cursors of before that are behind this are put back to it. */
  begins: bigint;
  /** Transactions are counted anew. */
  isShifted: boolean;
}

/** Any constant will do that nothing else locks. */
const settleLock = 7_155_923;
/** Who uses the tables waits behind the change of a default. */
const tableLockMs = 1_000;
/** Of a table that a dump brought, what has numbers so near tells from what is written here: enough, and few to look at. */
const siblingNumbers = 100_000n;
/** Not permitted, not supported, not there: of managed databases that hide where they are. */
const hiddenCodes: ReadonlySet<string> = new Set(['42501', '0A000', '42883']);

const whereabouts = {
  name: 'feed_whereabouts',
  text: `SELECT (SELECT system_identifier::text FROM pg_control_system()) AS cluster,
      (${writtenTimeline})::bigint::text AS timeline`,
};

/** What is known of a database that does not say where it is: a count that went back gives it away all the same. */
const hidden = { name: 'feed_hidden', text: `SELECT '' AS cluster, '0' AS timeline` };

const lockStatement = {
  name: 'feed_lock',
  text: `SELECT pg_advisory_xact_lock(${settleLock})`,
};

const newestEpoch = {
  name: 'feed_newest_epoch',
  // `putBy`: the lower half of the number of the transaction that wrote this row, in this cluster.
  // `shifts`: what the defaults of `written_by` really add.
  text: `SELECT number, cluster, timeline::text, shift::text, settled::text, xmin::text AS "putBy",
      pg_snapshot_xmin(pg_current_snapshot())::text AS horizon, pg_snapshot_xmax(pg_current_snapshot())::text AS "end",
      ARRAY(SELECT coalesce(substring(pg_get_expr(adbin, adrelid) FROM '\\+ ''?(\\d+)'), '0')
        FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
        WHERE adrelid IN ('outcome'::regclass, 'batch_event'::regclass) AND attname = 'written_by') AS shifts
    FROM feed_epoch ORDER BY number DESC LIMIT 1`,
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
    VALUES ($1, left(md5(gen_random_uuid()::text), 8), $2, $3, $4, $5, $6)`,
};

/**
 * Writes down up to where the change feed is decided, and begins a new epoch where the database is another than it was.
 *
 * The row is copied to standbys and into dumps as everything is. Where a copy takes over, what lies below its `settled` is
 * what it was before, and only above may numbers be used again: a cursor goes back to there at most (docs/decisions/reading.md).
 *
 * Repeating it is free. On the primary alone.
 */
export async function settleFeed(database: Database): Promise<FeedEpochBegun | undefined> {
  try {
    return await database.transaction((transaction) => settle(transaction, whereabouts));
  } catch (error) {
    if (!(error instanceof DatabaseError) || !hiddenCodes.has(error.fault.code)) throw error;
  }
  return await database.transaction((transaction) => settle(transaction, hidden));
}

/** All on one connection: where it is and what it writes must be of one server. */
async function settle(
  transaction: Queryable,
  where: typeof whereabouts,
): Promise<FeedEpochBegun | undefined> {
  // In a statement of its own: those after it see what whoever had it before has written.
  await transaction.query(lockStatement);
  const { cluster, timeline } = (await transaction.query<{ cluster: string; timeline: string }>(where))
    .rows[0]!;
  const epoch = parseEpoch((await transaction.query<RawEpoch>(newestEpoch)).rows[0]!);
  const { shift, settled } = epoch;
  const isSame = cluster === epoch.cluster && timeline === epoch.timeline;
  // Who settles the feed has a number that is not below what it settles: this row came here in a dump.
  const isCopied = epoch.put < settled;
  // Only a part of a dump is here.
  const isMisnumbered = epoch.shifts.some((each) => each !== shift);
  const wentBack =
    settled > shift + epoch.end || ((!isSame || isCopied) && (await isWrittenAhead(transaction, shift)));
  if (!wentBack && !isCopied && !isMisnumbered && (isSame || epoch.cluster === null)) {
    const decided = shift + epoch.horizon;
    await transaction.query(settleStatement, [epoch.number, cluster, timeline, decided.toString()]);
    return undefined;
  }
  const isShifted = wentBack || isMisnumbered;
  const freshShift = isShifted ? shiftAbove(epoch) : shift;
  // Before it is asked what was written: this waits for all who write.
  if (isShifted) await countFrom(transaction, freshShift);
  let begins = settled;
  if (isCopied) begins = await lowestWritten(transaction, { epoch, isShifted });
  if (isMisnumbered) begins = 0n;
  await transaction.query(beginStatement, [
    ...[epoch.number + 1, cluster, timeline, freshShift.toString()],
    ...[begins.toString(), (freshShift + epoch.horizon).toString()],
  ]);
  return { number: epoch.number + 1, begins, isShifted };
}

interface RawEpoch {
  [column: string]: unknown;
  number: number;
  cluster: string | null;
  timeline: string | null;
  shift: string;
  settled: string;
  putBy: string;
  horizon: string;
  end: string;
  shifts: string[];
}

interface Epoch {
  number: number;
  cluster: string | null;
  timeline: string | null;
  shift: bigint;
  settled: bigint;
  /** In the numbers of the feed: the transaction that wrote this row here. */
  put: bigint;
  /** Every transaction before it has ended. */
  horizon: bigint;
  /** No transaction from this one on has ended. */
  end: bigint;
  shifts: bigint[];
}

function parseEpoch({ number, cluster, timeline, putBy, ...row }: RawEpoch): Epoch {
  const [shift, end] = [BigInt(row.shift), BigInt(row.end)];
  // It has ended, so it is the last below `end` with this lower half.
  const low = ((end >> 32n) << 32n) + BigInt(putBy);
  const put = shift + (low < end ? low : low - (1n << 32n));
  const [settled, horizon] = [BigInt(row.settled), BigInt(row.horizon)];
  return { number, cluster, timeline, shift, settled, put, horizon, end, shifts: row.shifts.map(BigInt) };
}

/**
 * Whether there is something with a number that no transaction that has ended can have given, but only another cluster. Both are
 * of one moment: what others commit meanwhile is no such thing.
 */
async function isWrittenAhead(transaction: Queryable, shift: bigint): Promise<boolean> {
  const { rows } = await transaction.query<{ written: boolean }>(
    {
      name: 'feed_is_written_ahead',
      text: `WITH now AS MATERIALIZED (SELECT $1::bigint + pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS "end")
        SELECT EXISTS (SELECT FROM outcome WHERE written_by >= (SELECT "end" FROM now))
          OR EXISTS (SELECT FROM batch_event WHERE written_by >= (SELECT "end" FROM now)) AS written`,
    },
    [shift.toString()],
  );
  return rows[0]!.written;
}

/**
 * `settled`, or the lowest number below it that this cluster has given since the data came here: to what servers wrote before
 * anybody looked. What the dump brought has the number of another transaction than the one that put it here, or has come with what
 * has another.
 */
async function lowestWritten(
  transaction: Queryable,
  { epoch, isShifted }: { epoch: Epoch; isShifted: boolean },
): Promise<bigint> {
  const { shift, settled, put, horizon } = epoch;
  const { rows } = await transaction.query<{ number: string }>(
    {
      name: 'feed_lowest_written',
      text: `SELECT least($2::bigint, min(number))::text AS number
        FROM (${writtenHere('outcome')} UNION ALL ${writtenHere('batch_event')}) AS written`,
    },
    [put, settled, shift, put - siblingNumbers].map(String),
  );
  const lowest = BigInt(rows[0]!.number);
  // Nobody waited for those who write: what they have written is not seen.
  const open = shift + horizon;
  return isShifted || lowest < open ? lowest : open;
}

/** The numbers below `settled` that transactions gave here since the one that put the data here. */
function writtenHere(table: string): string {
  return `SELECT min(written_by) AS number FROM ${table}
    WHERE written_by >= $4 AND written_by < least($2, $3 + pg_snapshot_xmax(pg_current_snapshot())::text::bigint)
    GROUP BY tableoid, xmin::text::bigint
    HAVING min(written_by) = max(written_by) AND min(written_by) >= $1
      AND (min(written_by) - $3) & 4294967295 = xmin::text::bigint`;
}

/** By it the numbers of transactions that have not ended begin at a multiple of `countsApart`, above all that were given. */
function shiftAbove({ shift, shifts, horizon }: Epoch): bigint {
  let highest = shift;
  for (const each of shifts) if (each > highest) highest = each;
  const countsBefore = (highest + countsApart - 1n) / countsApart;
  return (countsBefore + 1n) * countsApart - horizon;
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
