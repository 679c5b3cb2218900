import type { Bitmap } from '../../message/bitmap.ts';
import type { StateNumber } from '../../message/state.ts';
import type { Queryable } from '../database.ts';
import { batchEventStates } from '../decisions/batch-event.ts';
import { countsApart } from './feed-numbers.ts';
import { compareFeedPlaces, type FeedPlace, placeAt, placeBehind } from './feed-place.ts';

export type FeedBatchState = (typeof batchEventStates)[keyof typeof batchEventStates];

/** One outcome of some messages of a chunk, or a new state of a batch. */
export type FeedRow = Omit<FeedPlace, 'epoch'> & { at: Date; accountId: number } & (
    | {
        kind: 'messages';
        routeId: number;
        batch: string | null;
        state: StateNumber;
        attempt: number;
        /** Messages of the chunk. */
        chunkCount: number;
        offsets: Bitmap | null;
        errorCode: string | null;
        details: (string | null)[] | null;
        providerRefs: (string | null)[] | null;
      }
    | { kind: 'batch'; state: FeedBatchState }
  );

export interface FeedPage {
  rows: FeedRow[];
  /** Where to read on: everything before it is in `rows` or was none of the accounts'. */
  next: FeedPlace;
}

/** Transactions looked at first; four times as many when there was nothing, so that a long silence is passed in few steps. */
const windowMin = 2_000n;
const windowGrowth = 4n;
/** Statements of one page: 2,000 times 4 to the 16th are passed over, more than `countsApart`, and what comes behind is looked at. */
const stepsMax = 17;

const horizonStatement = {
  name: 'feed_horizon',
  // What a transaction at or above this number writes may be committed behind what is visible now.
  // Each epoch counts from a beginning of its own.
  text: `SELECT name AS epoch, (shift + pg_snapshot_xmin(pg_current_snapshot())::text::bigint)::text AS "writtenBy",
      settled::text
    FROM feed_epoch ORDER BY number DESC LIMIT 1`,
};

const rowsStatement = {
  name: 'feed_rows',
  // The row at the reader's own place comes again: it may not have been passed whole.
  text: `SELECT * FROM (
      SELECT o.written_by AS "writtenBy", o.shard, o.chunk_id AS id, o.seq, o.at, o.batch, o.state, o.attempt,
        c.count AS "chunkCount", c.route_id AS "routeId", o.account_id AS "accountId", o.offsets, o.error_code AS "errorCode", o.details, o.provider_refs AS "providerRefs"
      FROM outcome o JOIN chunk c ON c.shard = o.shard AND c.id = o.chunk_id
      WHERE o.account_id = ANY($1) AND o.written_by >= $2 AND o.written_by < $3
        AND ($8::integer IS NULL OR c.route_id <> $8)
      UNION ALL
      SELECT written_by, shard, batch, 0, at, NULL, coalesce(told, state), NULL, NULL, NULL, account_id, NULL, NULL, NULL, NULL
      FROM batch_event WHERE account_id = ANY($1) AND written_by >= $2 AND written_by < $3
    ) AS event
    WHERE ("writtenBy", shard, id, seq) >= ($2, $4::integer, $5::uuid, $6::bigint)
    ORDER BY "writtenBy", shard, id, seq LIMIT $7`,
};

/**
 * The next changes of the messages and batches of some accounts, in the order in which they were committed, from a place that was
 * found here (`find-feed-place.ts`).
 */
export async function readEvents(
  database: Queryable,
  read: {
    accountIds: readonly number[];
    after: FeedPlace;
    rowsMax: number;
    /** Rows behind this place of the same epoch are left out. */
    until?: FeedPlace | undefined;
    /**
     * `next` is given to nobody, but stored by a transaction of this database that begins later. A crash that leaves the place leaves the
     * number of that transaction, which is above it: none below is given again, so it need not be settled.
     */
    isWrittenDown?: boolean;
    /** A route whose messages are left out. */
    exceptRoute?: number | undefined;
  },
): Promise<FeedPage> {
  const { until } = read;
  const seen = await readHorizon(database);
  const horizon = until ? least(endOf(until), seen.horizon) : seen.horizon;
  const settled = read.isWrittenDown ? horizon : seen.settled;
  // The epoch stays that in which the place was found: one that has begun meanwhile puts it back when it is given again.
  const { epoch } = read.after;
  if (read.accountIds.length === 0)
    return { rows: [], next: lastingPlace({ from: read.after, to: horizon }, settled) };
  let place = read.after;
  let span = windowMin;
  for (let step = 0; step < stepsMax && place.writtenBy < horizon; step++) {
    const { end, isBoundary } = windowEnd(place.writtenBy, { span, horizon });
    const { rows } = await database.query<RawRow>(rowsStatement, [
      read.accountIds,
      place.writtenBy.toString(),
      end.toString(),
      place.shard,
      place.id,
      place.seq.toString(),
      read.rowsMax,
      read.exceptRoute ?? null,
    ]);
    if (rows.length > 0) {
      const page = rows.map(feedRow);
      const last = page.at(-1)!;
      if (until && compareFeedPlaces(placeBehind(last, epoch), until) > 0) {
        return {
          rows: page.filter((row) => compareFeedPlaces(placeBehind(row, epoch), until) <= 0),
          next: until,
        };
      }
      const full = rows.length === read.rowsMax;
      const passed = { from: placeAt(last.writtenBy + 1n, epoch), to: end };
      return { rows: page, next: full ? placeBehind(last, epoch) : lastingPlace(passed, settled) };
    }
    place = placeAt(end, epoch);
    span = isBoundary ? windowMin : span * windowGrowth;
  }
  return { rows: [], next: lastingPlace({ from: read.after, to: place.writtenBy }, settled) };
}

/** Every transaction before it has ended. */
export async function feedHorizon(database: Queryable): Promise<FeedPlace> {
  const { epoch, horizon } = await readHorizon(database);
  return placeAt(horizon, epoch);
}

async function readHorizon(
  database: Queryable,
): Promise<{ epoch: string | null; horizon: bigint; settled: bigint }> {
  const { rows } = await database.query<{ epoch: string | null; writtenBy: string; settled: string }>(
    horizonStatement,
  );
  const { epoch, writtenBy, settled } = rows[0]!;
  return { epoch, horizon: BigInt(writtenBy), settled: BigInt(settled) };
}

/** It may lie amid what a transaction wrote. */
function endOf({ writtenBy, shard }: FeedPlace): bigint {
  return shard < 0 ? writtenBy : writtenBy + 1n;
}

const least = (a: bigint, b: bigint): bigint => (b < a ? b : a);

/**
 * A window ends where transactions were counted anew, for there the numbers lie close again: one that has grown over the gap
 * before would hold all that was written since.
 */
function windowEnd(
  begin: bigint,
  { span, horizon }: { span: bigint; horizon: bigint },
): { end: bigint; isBoundary: boolean } {
  const boundary = (begin / countsApart + 1n) * countsApart;
  const end = [begin + span, boundary, horizon].reduce(least);
  return { end, isBoundary: end === boundary };
}

/**
 * Of the places between two with nothing between them the last whose numbers are never used again. A crash forgets transactions
 * that were rolled back, and gives their numbers to others: only what is settled, or follows something that was committed,
 * is on disk.
 */
function lastingPlace({ from, to }: { from: FeedPlace; to: bigint }, settled: bigint): FeedPlace {
  const last = least(to, settled);
  return last > from.writtenBy ? placeAt(last, from.epoch) : from;
}

interface RawRow {
  [column: string]: unknown;
  accountId: number;
  writtenBy: string;
  shard: number;
  id: string;
  seq: string;
  at: Date;
  state: number;
  chunkCount: number | null;
}

function feedRow(row: RawRow): FeedRow {
  const { writtenBy, shard, id, seq, at, accountId, state } = row;
  const place = { writtenBy: BigInt(writtenBy), shard, id, seq: BigInt(seq), offset: -1, at, accountId };
  if (row.chunkCount === null) {
    return { ...place, kind: 'batch', state: batchEventStates[state as keyof typeof batchEventStates] };
  }
  return { ...(row as unknown as FeedRow & { kind: 'messages' }), ...place, kind: 'messages' };
}
