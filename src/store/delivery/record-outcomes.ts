import type { StateNumber } from '../../message/state.ts';
import { type Call, type Database, DatabaseError, type Statement } from '../database.ts';
import { type ErasedMessages, scrubOutcomes } from '../erasure/scrub-outcomes.ts';
import { rowsMax, slices } from '../multi-row.ts';
import { type DeltaInsert, deltaCall, deltaSlot } from '../statistics/insert-delta.ts';

/** One row of `outcome`. `seq` is the owner's epoch times 2^32 plus a counter, as text. */
export interface OutcomeInsert {
  accountId: number;
  chunkId: string;
  seq: string;
  batch: string | null;
  state: StateNumber;
  attempt: number;
  count: number;
  offsets: Uint8Array | null;
  errorCode: string | null;
  details: (string | null)[] | null;
  providerRefs: (string | null)[] | null;
  /** How long ago it happened, and when a retry is due, by this machine's monotonic clock. */
  agoMs: number;
  dueInMs: number | null;
}

/** Where the message is that a provider knows by an id of its own. */
export interface ProviderReference {
  /** `providerRefHash`. */
  hash: bigint;
  routeId: number;
  chunkId: string;
  offset: number;
  /** The number of replays that it was sent under. */
  renewal: number;
}

export interface ProgressDelta {
  batch: string;
  state: StateNumber;
  delta: number;
}

export interface PendingUpdate {
  chunkId: string;
  /** Offsets still to do, null for all. */
  remaining: Uint8Array | null;
  dueInMs: number;
  /** The fingerprint of the window of its route that put it off, null for none. */
  putOffBy: number | null;
}

/** The row of a chunk that was decided on, whether or not it is pending at the moment. */
export interface PendingRenewal extends PendingUpdate {
  accountId: number;
  routeId: number;
  priority: number;
  count: number;
  batch: string | null;
}

/** What one owner has to say of one shard. Recorded whole or not at all, and once however often it is tried. */
export interface OutcomeFlush {
  shard: number;
  epoch: number;
  outcomes: OutcomeInsert[];
  progress: ProgressDelta[];
  /** Chunks that are done. */
  finished: string[];
  /** Chunks of which all that remains waits. */
  waiting: PendingUpdate[];
  /** Chunks that go on, or again, after a decision on them. */
  renewed: PendingRenewal[];
  /** Ids of the inbox that the outcomes answer. */
  answered: string[];
  /** Messages of which no outcome may tell any more than its state. */
  erased?: ErasedMessages[];
  /** Ids of matched receipts that the outcomes answer. */
  receipts?: string[];
  /** Where messages are found by their providers' own ids. */
  references?: ProviderReference[];
  /** Batches whose messages were changed that had come to an end: folded counts are to follow. */
  recounted?: string[];
  /** What it adds to statistics. `id` is the first outcome's `seq`; `agoMs` how long ago the ages in it were told. */
  statistics?: DeltaInsert;
}

const fenceStatement = {
  name: 'fence',
  text: 'SELECT 1 FROM shard_owner WHERE shard = $1 AND epoch = $2 FOR SHARE',
};

/** The same for statements that are sent without waiting for its answer: it fails, and with it all of them. */
const refusingFenceStatement = {
  name: 'refusing_fence',
  text: `SELECT 1 / count(*) FROM
    (SELECT 1 FROM shard_owner WHERE shard = $1 AND epoch = $2 FOR SHARE) AS owner`,
};

const deleteAnsweredStatement = {
  name: 'delete_answered',
  text: 'DELETE FROM inbox WHERE shard = $1 AND id = ANY($2::uuid[])',
};

const deleteReceiptsStatement = {
  name: 'delete_matched_receipts',
  text: 'DELETE FROM matched_receipt WHERE shard = $1 AND id = ANY($2::uuid[])',
};

// As arrays, because there is one for each message.
const referencesStatement = {
  name: 'insert_provider_refs',
  text: `INSERT INTO provider_ref (shard, chunk_id, "offset", renewal, route_id, hash)
    SELECT $1::smallint, r.* FROM unnest($2::uuid[], $3::smallint[], $4::smallint[], $5::integer[], $6::bigint[]) AS r`,
};

const recountStatement = {
  name: 'mark_recounted',
  text: `INSERT INTO batch_recount AS present (shard, batch) SELECT $1::smallint, unnest($2::uuid[])
    ON CONFLICT (shard, batch) DO UPDATE SET changes = present.changes + 1`,
};

const deletePendingStatement = {
  name: 'delete_pending',
  text: 'DELETE FROM pending WHERE shard = $1 AND chunk_id = ANY($2::uuid[])',
};

/** What PostgreSQL calls a division by zero, which is how the sent-along fence refuses. */
const fencedCode = '22012';
const uniqueViolation = '23505';

/**
 * Records outcomes behind the fence: `false` means that another worker owns the shard by now, and nothing
 * was written. A flush that is repeated after an ambiguous COMMIT finds its own rows, and counts nothing again.
 */
export async function recordOutcomes(database: Database, flush: OutcomeFlush): Promise<boolean> {
  const { progress, waiting, renewed, answered, erased = [], receipts = [], references = [] } = flush;
  const effects = [progress, waiting, renewed, answered, erased, receipts, references];
  const simple = effects.every(({ length }) => length === 0);
  if (simple && flush.outcomes.length > 0 && flush.outcomes.length <= rowsMax) {
    return await recordAtOnce(database, flush);
  }
  if (erased.length > 0) return await recordInSteps(database, flush);
  try {
    // Two round trips instead of six. Its rows must be new, for what follows them counts them.
    await database.transactionOf([
      { statement: refusingFenceStatement, values: [flush.shard, flush.epoch] },
      ...outcomeCalls(flush, newOutcomesStatement),
      ...effectCalls(flush),
    ]);
    return true;
  } catch (error) {
    const code = error instanceof DatabaseError ? error.fault.code : undefined;
    if (code === fencedCode) return false;
    if (code !== uniqueViolation) throw error;
    return await recordInSteps(database, flush);
  }
}

/** The same with an eye on each answer. */
async function recordInSteps(database: Database, flush: OutcomeFlush): Promise<boolean> {
  return await database.transaction(async (transaction) => {
    const fence = await transaction.query(fenceStatement, [flush.shard, flush.epoch]);
    if (fence.rowCount === 0) return false;
    for (const { statement, values } of outcomeCalls(flush, outcomesStatement)) {
      // The rows of a flush are there together or not at all.
      if ((await transaction.query(statement, values)).rowCount === 0) return true;
    }
    for (const { statement, values } of effectCalls(flush)) await transaction.query(statement, values);
    for (const erased of flush.erased ?? []) {
      await scrubOutcomes(transaction, { shard: flush.shard, erased });
    }
    return true;
  });
}

/**
 * The same in one statement, for messages that belong to no batch: five round trips fewer, which is most of
 * what recording a single message costs. Its chunks may have been replayed, and be pending again, when a try that was given
 * up arrives after all: then its rows are there, and it takes nothing away.
 */
async function recordAtOnce(database: Database, flush: OutcomeFlush): Promise<boolean> {
  const { id = null, agoMs = null, entries = null } = flush.statistics ?? {};
  const values: unknown[] = [flush.shard, flush.epoch, flush.finished, id, agoMs, entries];
  for (const row of flush.outcomes) values.push(...outcomeValues(row));
  const { rowCount } = await database.query(atOnceStatement(flush.outcomes.length), values);
  return rowCount > 0;
}

function* outcomeCalls(
  { shard, outcomes }: OutcomeFlush,
  statementOf: (rows: number) => Statement,
): Generator<Call> {
  for (const rows of slices(outcomes)) {
    yield { statement: statementOf(rows.length), values: [shard, ...rows.flatMap(outcomeValues)] };
  }
}

/** What outcomes bring about. */
function* effectCalls(flush: OutcomeFlush): Generator<Call> {
  const { shard, progress, finished, waiting, renewed, answered } = flush;
  const { receipts = [], references = [], recounted = [] } = flush;
  for (const deltas of slices(progress)) {
    const values = deltas.flatMap(({ batch, state, delta }) => [batch, state, delta]);
    yield { statement: progressStatement(deltas.length), values: [shard, ...values] };
  }
  if (finished.length > 0) yield { statement: deletePendingStatement, values: [shard, finished] };
  for (const chunks of slices(waiting)) {
    const values = chunks.flatMap(({ chunkId, remaining, dueInMs, putOffBy }) => [
      ...[chunkId, remaining, dueInMs, putOffBy],
    ]);
    yield { statement: waitStatement(chunks.length), values: [shard, ...values] };
  }
  for (const chunks of slices(renewed)) {
    const values = chunks.flatMap((chunk) => {
      const { chunkId, remaining, dueInMs, putOffBy, accountId, routeId, priority, count, batch } = chunk;
      return [chunkId, remaining, dueInMs, accountId, routeId, priority, count, batch, putOffBy];
    });
    yield { statement: renewStatement(chunks.length), values: [shard, ...values] };
  }
  if (answered.length > 0) yield { statement: deleteAnsweredStatement, values: [shard, answered] };
  if (receipts.length > 0) yield { statement: deleteReceiptsStatement, values: [shard, receipts] };
  if (references.length > 0) {
    const values = [
      references.map(({ chunkId }) => chunkId),
      references.map(({ offset }) => offset),
      references.map(({ renewal }) => renewal),
      references.map(({ routeId }) => routeId),
      references.map(({ hash }) => hash),
    ];
    yield { statement: referencesStatement, values: [shard, ...values] };
  }
  if (recounted.length > 0) yield { statement: recountStatement, values: [shard, recounted] };
  if (flush.statistics) yield deltaCall(shard, flush.statistics);
}

function outcomeValues(row: OutcomeInsert): unknown[] {
  const { accountId, chunkId, seq, batch, state, attempt, count, offsets, errorCode } = row;
  const { details, providerRefs, agoMs, dueInMs } = row;
  return [
    chunkId,
    seq,
    batch,
    state,
    attempt,
    count,
    offsets,
    errorCode,
    details,
    providerRefs,
    agoMs,
    dueInMs,
    accountId,
  ];
}

const outcomeWidth = 13;
const outcomeColumns = `shard, chunk_id, seq, batch, state, attempt, count, offsets, error_code, details,
  provider_refs, at, due_at, account_id`;

function outcomeTuple(p: (n: number) => string): string {
  const at = `now() - ${p(11)}::float8 * interval '1 millisecond'`;
  const dueAt = `now() + ${p(12)}::float8 * interval '1 millisecond'`;
  return `($1::smallint, ${p(1)}::uuid, ${p(2)}::bigint, ${p(3)}::uuid, ${p(4)}::smallint, ${p(5)}::smallint,
    ${p(6)}::smallint, ${p(7)}::bytea, ${p(8)}::text, ${p(9)}::text[], ${p(10)}::text[], ${at}, ${dueAt},
    ${p(13)}::integer)`;
}

const newOutcomesStatement = byRows((rows) => ({
  name: `insert_new_outcomes_${rows}`,
  text: `INSERT INTO outcome (${outcomeColumns})
    VALUES ${tuples({ rows, width: outcomeWidth, first: 2 }, outcomeTuple)}`,
}));

const outcomesStatement = byRows((rows) => ({
  name: `insert_outcomes_${rows}`,
  text: `${newOutcomesStatement(rows).text} ON CONFLICT DO NOTHING`,
}));

const atOnceStatement = byRows((rows) => ({
  name: `record_at_once_${rows}`,
  text: `WITH fence AS (SELECT 1 FROM shard_owner WHERE shard = $1 AND epoch = $2 FOR SHARE),
    recorded AS (
      INSERT INTO outcome (${outcomeColumns})
      SELECT outcomes.* FROM fence, (VALUES ${tuples({ rows, width: outcomeWidth, first: 7 }, outcomeTuple)}) AS outcomes
      ON CONFLICT DO NOTHING RETURNING 1
    ),
    finished AS (
      DELETE FROM pending USING fence
      WHERE shard = $1 AND chunk_id = ANY($3::uuid[]) AND EXISTS (SELECT FROM recorded)
    ),
    counted AS (
      INSERT INTO statistics_delta (shard, id, slot, at, entries)
      SELECT $1::smallint, $4::bigint, ${deltaSlot}, now() - $5::float8 * interval '1 millisecond', $6::text
      WHERE $6::text IS NOT NULL AND EXISTS (SELECT FROM recorded)
    )
    SELECT FROM fence`,
}));

const progressStatement = byRows((rows) => ({
  name: `delivery_progress_${rows}`,
  text: `INSERT INTO batch_progress (shard, batch, state, count)
    VALUES ${tuples({ rows, width: 3, first: 2 }, (p) => `($1::smallint, ${p(1)}::uuid, ${p(2)}::smallint, ${p(3)}::bigint)`)}
    ON CONFLICT (shard, batch, state) DO UPDATE SET count = batch_progress.count + excluded.count`,
}));

/** What waits for the closing of its batch does, whatever is decided on its messages meanwhile. */
const dueUnlessHeld = (present: string, dueAt: string) =>
  `CASE WHEN ${present}.due_at = 'infinity' THEN 'infinity' ELSE ${dueAt} END`;

const waitStatement = byRows((rows) => ({
  name: `wait_pending_${rows}`,
  text: `UPDATE pending SET remaining = waiting.remaining, put_off_by = waiting.put_off_by,
      due_at = ${dueUnlessHeld('pending', `now() + waiting.due_in_ms * interval '1 millisecond'`)}
    FROM (VALUES ${tuples({ rows, width: 4, first: 2 }, waitingTuple)})
      AS waiting (chunk_id, remaining, due_in_ms, put_off_by)
    WHERE pending.shard = $1 AND pending.chunk_id = waiting.chunk_id`,
}));

function waitingTuple(p: (n: number) => string): string {
  return `(${p(1)}::uuid, ${p(2)}::bytea, ${p(3)}::float8, ${p(4)}::integer)`;
}

const renewStatement = byRows((rows) => ({
  name: `renew_pending_${rows}`,
  text: `INSERT INTO pending AS present
      (shard, chunk_id, remaining, due_at, account_id, route_id, priority, count, batch, put_off_by)
    VALUES ${tuples({ rows, width: 9, first: 2 }, renewedTuple)}
    ON CONFLICT (chunk_id, shard) DO UPDATE SET remaining = excluded.remaining, put_off_by = excluded.put_off_by,
      due_at = ${dueUnlessHeld('present', 'excluded.due_at')}`,
}));

function renewedTuple(p: (n: number) => string): string {
  return `($1::smallint, ${p(1)}::uuid, ${p(2)}::bytea, now() + ${p(3)}::float8 * interval '1 millisecond',
    ${p(4)}::integer, ${p(5)}::integer, ${p(6)}::smallint, ${p(7)}::smallint, ${p(8)}::uuid, ${p(9)}::integer)`;
}

/** Tuples of a VALUES list whose parameters begin at `first`; `p(n)` is the n-th parameter of a tuple. */
function tuples(
  list: { rows: number; width: number; first: number },
  tuple: (p: (n: number) => string) => string,
): string {
  const texts: string[] = [];
  for (let row = 0; row < list.rows; row++) {
    texts.push(tuple((n) => `$${list.first - 1 + row * list.width + n}`));
  }
  return texts.join(', ');
}

function byRows(make: (rows: number) => Statement): (rows: number) => Statement {
  const made: (Statement | undefined)[] = [];
  return (rows) => {
    made[rows] ??= make(rows);
    return made[rows];
  };
}
