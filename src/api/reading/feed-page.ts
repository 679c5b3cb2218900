import { offsetsOf, rankInBitmap } from '../../message/bitmap.ts';
import { messageIdAt } from '../../message/id.ts';
import { type State, stateName } from '../../message/state.ts';
import type { Queryable } from '../../store/database.ts';
import type { FeedPlace } from '../../store/reading/feed-place.ts';
import { type FeedBatchState, type FeedRow, readEvents } from '../../store/reading/read-events.ts';

export interface FeedEvent {
  /** The same whenever the event is read. */
  id: string;
  at: string;
  type: 'message' | 'batch';
  messageId?: string;
  batchId: string | null;
  state: State | FeedBatchState;
  attempt?: number;
  providerRef?: string;
  error?: { code: string; detail: string | null };
}

/** A row may hold a thousand messages with an error of their own, half a megabyte, or a single message. */
const rowsMax = 50;
const readsMax = 20;

/** Up to `limit` changes behind a place that was found in this database, and the place to read on from. */
export async function feedPage(
  database: Queryable,
  read: { accountId: number; after: FeedPlace; limit: number; exceptRoute?: number | undefined },
): Promise<{ events: FeedEvent[]; next: FeedPlace }> {
  const { accountId, limit, exceptRoute } = read;
  const { epoch } = read.after;
  const events: FeedEvent[] = [];
  let after = read.after;
  for (let reads = 0; reads < readsMax; reads++) {
    const page = await readEvents(database, { accountIds: [accountId], after, rowsMax, exceptRoute });
    for (const row of page.rows) {
      const begun = samePlace(row, after) ? after.offset : -1;
      for (const offset of offsetsIn(row)) {
        if (offset <= begun) continue;
        if (events.length === limit) return { events, next: { ...placeOf(row, epoch), offset: offset - 1 } };
        events.push(eventOf(row, offset));
      }
    }
    after = page.next;
    if (page.rows.length < rowsMax) break;
  }
  return { events, next: after };
}

function placeOf({ writtenBy, shard, id, seq, offset }: FeedRow, epoch: string | null): FeedPlace {
  return { epoch, writtenBy, shard, id, seq, offset };
}

function samePlace(row: FeedRow, place: FeedPlace): boolean {
  return (
    row.writtenBy === place.writtenBy &&
    row.shard === place.shard &&
    row.id === place.id &&
    row.seq === place.seq
  );
}

/** A batch's row holds one event. */
function offsetsIn(row: FeedRow): number[] {
  return row.kind === 'batch' ? [0] : offsetsOf(row.offsets, row.chunkCount);
}

function eventOf(row: FeedRow, offset: number): FeedEvent {
  const at = row.at.toISOString();
  if (row.kind === 'batch') {
    return { id: `${row.id}.${row.writtenBy}`, at, type: 'batch', batchId: row.id, state: row.state };
  }
  const messageId = messageIdAt(row.id, offset);
  const rank = rankInBitmap(row.offsets, offset);
  const providerRef = row.providerRefs?.[rank] ?? undefined;
  const detail = row.details?.length === 1 ? row.details[0] : row.details?.[rank];
  return {
    id: `${messageId}.${row.seq}`,
    at,
    type: 'message',
    messageId,
    batchId: row.batch,
    state: stateName(row.state),
    ...(row.attempt > 0 && { attempt: row.attempt }),
    ...(providerRef !== undefined && { providerRef }),
    ...(row.errorCode !== null && { error: { code: row.errorCode, detail: detail ?? null } }),
  };
}
