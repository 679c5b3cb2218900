import type { Database, Queryable } from '../database.ts';
import { insertRows } from '../multi-row.ts';
import { type ChunkRow, insertChunks } from './insert-chunks.ts';

/** A slot as it is stored: its extent, its chunk when it has valid messages, its rejections when it has any. */
export interface SlotRow {
  firstLine: number;
  lines: number;
  accepted: number;
  rejected: number;
  chunk?: ChunkRow;
  /** Codec and compressed NDJSON of `{line, code, detail}`. */
  rejections?: { codec: number; payload: Uint8Array };
}

export interface SlotsOfRun {
  batch: string;
  shard: number;
  /** This upload's number: see `batch_fence`. */
  upload: number;
  slots: SlotRow[];
}

/** Pseudo-states in `batch_progress`. */
export const acceptedCounter = 100;
export const rejectedCounter = 101;

export type StoreResult =
  | { kind: 'stored' }
  /** A newer upload has written to this shard. */
  | { kind: 'superseded' }
  /** Lines of these slots became durable by an older upload whose commit came late, in other extents. */
  | { kind: 'overlap' };

/**
 * Stores slots of one run in one transaction on one shard. Repeating it after an ambiguous COMMIT finds
 * its own slots and changes nothing.
 */
export async function storeSlots(database: Database, run: SlotsOfRun): Promise<StoreResult> {
  return await database.transaction(async (transaction) => {
    if (!(await raiseFence(transaction, run))) return { kind: 'superseded' };
    const present = await presentSlots(transaction, run);
    if (present === 'same') return { kind: 'stored' };
    if (present === 'other') return { kind: 'overlap' };
    const chunks = run.slots.flatMap(({ chunk }) => (chunk ? [chunk] : []));
    if (chunks.length > 0) await insertChunks(transaction, { shard: run.shard, batch: run.batch, chunks });
    await insertSlots(transaction, run);
    await insertRejections(transaction, run);
    await raiseProgress(transaction, run);
    return { kind: 'stored' };
  });
}

/** Waits for a commit under way of an older upload on this shard, so that its slots can be seen afterwards. */
export async function raiseFence(
  transaction: Queryable,
  { batch, shard, upload }: Pick<SlotsOfRun, 'batch' | 'shard' | 'upload'>,
): Promise<boolean> {
  const { rowCount } = await transaction.query(
    {
      name: 'raise_batch_fence',
      text: `INSERT INTO batch_fence (shard, batch, upload) VALUES ($1, $2, $3)
        ON CONFLICT (shard, batch) DO UPDATE SET upload = excluded.upload
        WHERE batch_fence.upload <= excluded.upload`,
    },
    [shard, batch, upload],
  );
  return rowCount === 1;
}

async function presentSlots(
  transaction: Queryable,
  { batch, shard, slots }: SlotsOfRun,
): Promise<'none' | 'same' | 'other'> {
  const first = slots[0]!.firstLine;
  const last = slots.at(-1)!;
  const { rows } = await transaction.query<{ first_line: string; lines: number; chunk_id: string | null }>(
    {
      name: 'present_slots',
      text: `SELECT first_line, lines, chunk_id FROM batch_slot
        WHERE shard = $1 AND batch = $2 AND part = 0 AND first_line + lines > $3 AND first_line < $4`,
    },
    [shard, batch, first, last.firstLine + last.lines],
  );
  const mine = new Map(slots.map((slot) => [slot.firstLine, slot]));
  let same = 0;
  for (const row of rows) {
    const firstLine = Number(row.first_line);
    const slot = mine.get(firstLine);
    if (slot?.lines === row.lines && (slot.chunk?.id ?? null) === row.chunk_id) same++;
    // Between these slots may lie lines that were durable before, and are left out of them.
    else if (slots.some((other) => overlaps(other, { firstLine, lines: row.lines }))) return 'other';
  }
  return same === 0 ? 'none' : 'same';
}

function overlaps(
  one: { firstLine: number; lines: number },
  other: { firstLine: number; lines: number },
): boolean {
  return one.firstLine < other.firstLine + other.lines && other.firstLine < one.firstLine + one.lines;
}

async function insertSlots(transaction: Queryable, { batch, shard, slots }: SlotsOfRun): Promise<void> {
  await insertRows(transaction, {
    name: 'insert_slots',
    into: 'INSERT INTO batch_slot (shard, batch, first_line, lines, accepted, rejected, chunk_id)',
    rows: slots.map((slot) => [
      shard,
      batch,
      slot.firstLine,
      slot.lines,
      slot.accepted,
      slot.rejected,
      slot.chunk?.id ?? null,
    ]),
  });
}

async function insertRejections(transaction: Queryable, { batch, shard, slots }: SlotsOfRun): Promise<void> {
  await insertRows(transaction, {
    name: 'insert_rejections',
    into: 'INSERT INTO rejection (shard, batch, first_line, count, codec, payload)',
    rows: slots.flatMap(({ firstLine, rejected, rejections }) =>
      rejections ? [[shard, batch, firstLine, rejected, rejections.codec, rejections.payload]] : [],
    ),
  });
}

/** Counts lines on the shard of their chunk, where what becomes of them is counted. */
export async function raiseProgress(
  transaction: Queryable,
  {
    batch,
    shard,
    slots,
  }: { batch: string; shard: number; slots: readonly Pick<SlotRow, 'accepted' | 'rejected'>[] },
): Promise<void> {
  const accepted = slots.reduce((sum, slot) => sum + slot.accepted, 0);
  const rejected = slots.reduce((sum, slot) => sum + slot.rejected, 0);
  await insertRows(transaction, {
    name: 'raise_progress',
    into: 'INSERT INTO batch_progress (shard, batch, state, count)',
    rows: [
      ...(accepted > 0 ? [[shard, batch, acceptedCounter, accepted]] : []),
      ...(rejected > 0 ? [[shard, batch, rejectedCounter, rejected]] : []),
    ],
    suffix: 'ON CONFLICT (shard, batch, state) DO UPDATE SET count = batch_progress.count + excluded.count',
  });
}
