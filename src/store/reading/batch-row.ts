import type { MessageDefaults } from '../../message/fields.ts';
import { type BatchCounts, batchCounts } from '../batch-counts.ts';

export interface BatchRow {
  id: string;
  accountId: number;
  routeId: number;
  priority: number;
  startOn: 'now' | 'close';
  defaults: MessageDefaults;
  createdAt: Date;
  closedAt: Date | null;
  doneAt: Date | null;
  pausedAt: Date | null;
  canceledAt: Date | null;
  /** When it was so, by the clock of the database. */
  readAt: Date;
  /** The first line that is not durable yet. */
  nextLine: number;
  counts: BatchCounts;
}

export const batchColumns =
  'b.id, b.account_id, b.route_id, b.priority, b.start_on, b.defaults, b.next_line, b.created_at, b.closed_at, b.done_at, b.paused_at, b.canceled_at, b.counts, now() AS read_at';

/** What `batchColumns` selects. */
export interface BatchColumns {
  [column: string]: unknown;
  id: string;
  account_id: number;
  route_id: number;
  priority: number;
  start_on: 'now' | 'close';
  defaults: MessageDefaults;
  /** A checkpoint: the slots behind it say the rest. */
  next_line: string;
  created_at: Date;
  closed_at: Date | null;
  done_at: Date | null;
  paused_at: Date | null;
  canceled_at: Date | null;
  read_at: Date;
  /** Folded when the batch was done; its counters may be gone since. */
  counts: Record<string, number> | null;
}

/** The slots of a batch from its checkpoint on. */
export interface SlotExtent {
  first_slot: string | null;
  /** The end of the unbroken run of slots that begins at `first_slot`. */
  reached: string | null;
}

/** Of slots ordered by line in `slot (first_line, ends, reached)`, `reached` being the end of those before. */
export const slotRunEnd = 'coalesce(min(reached) FILTER (WHERE first_line > reached), max(ends))';

/** `progress` are the batch's counters by the number of their state, as JSON gives them. */
export function batchRow(
  row: BatchColumns,
  more: { progress: Record<string, number> | null | undefined; slots: SlotExtent | undefined },
): BatchRow {
  return {
    id: row.id,
    accountId: row.account_id,
    routeId: row.route_id,
    priority: row.priority,
    startOn: row.start_on,
    defaults: row.defaults,
    createdAt: row.created_at,
    closedAt: row.closed_at,
    doneAt: row.done_at,
    pausedAt: row.paused_at,
    canceledAt: row.canceled_at,
    readAt: row.read_at,
    nextLine: nextLineOf(Number(row.next_line), more.slots),
    counts: row.done_at && row.counts ? foldedCounts(row.counts) : batchCounts(more.progress ?? {}),
  };
}

/** The slots count only when they begin where the checkpoint ends. */
function nextLineOf(checkpoint: number, slots: SlotExtent | undefined): number {
  return Number(slots?.first_slot) === checkpoint ? Number(slots?.reached) : checkpoint;
}

function foldedCounts(folded: Record<string, number>): BatchCounts {
  const counts = batchCounts({});
  for (const name of Object.keys(counts) as (keyof BatchCounts)[]) counts[name] = Number(folded[name] ?? 0);
  return counts;
}
