import { amountOf } from '../../message/allowance.ts';
import type { Database, Queryable } from '../database.ts';
import { insertRows } from '../multi-row.ts';
import { charge, fitOf, lockMeter, type Refusal } from './charge.ts';
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
  /** Set where the account is charged for them. */
  metered?: {
    accountId: number;
    /** Of each of their messages. */
    parts: ArrayLike<number>;
    /** What is stored of them where the account may send so many messages only. */
    first: (messages: number) => SlotRow[];
  };
}

/** Pseudo-states in `batch_progress`. */
export const acceptedCounter = 100;
export const rejectedCounter = 101;

export type StoreResult =
  | { kind: 'stored' }
  /** These slots alone, the last one shorter, because the account may not send more; an earlier try was told why. */
  | { kind: 'cut'; slots: SlotRow[]; refusal?: Refusal }
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
    if (present === 'other') return { kind: 'overlap' };
    if (present !== 'none')
      return present.length === 0 ? { kind: 'stored' } : { kind: 'cut', slots: present };
    const { slots, refusal } = await payFor(transaction, run);
    if (slots.length > 0) await insertAll(transaction, { ...run, slots });
    return refusal ? { kind: 'cut', slots, refusal } : { kind: 'stored' };
  });
}

async function payFor(
  transaction: Queryable,
  { slots, metered }: SlotsOfRun,
): Promise<{ slots: SlotRow[]; refusal?: Refusal }> {
  if (metered === undefined) return { slots };
  // Behind the fence: whoever waits there holds no meter.
  const meter = await lockMeter(transaction, metered.accountId);
  const { count, refusal } = fitOf(meter, metered.parts);
  const paid = refusal ? metered.first(count) : slots;
  await charge(transaction, meter, amountOf(metered.parts, acceptedOf(paid)));
  return { slots: paid, ...(refusal && { refusal }) };
}

function acceptedOf(slots: readonly SlotRow[]): number {
  return slots.reduce((sum, { accepted }) => sum + accepted, 0);
}

async function insertAll(transaction: Queryable, run: SlotsOfRun): Promise<void> {
  const chunks = run.slots.flatMap(({ chunk }) => (chunk ? [chunk] : []));
  if (chunks.length > 0) await insertChunks(transaction, { shard: run.shard, batch: run.batch, chunks });
  await insertSlots(transaction, run);
  await insertRejections(transaction, run);
  await raiseProgress(transaction, run);
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

/** Those of these slots that are durable when these are not all, none of them where they are. */
async function presentSlots(
  transaction: Queryable,
  { batch, shard, slots }: SlotsOfRun,
): Promise<'none' | 'other' | SlotRow[]> {
  const first = slots[0]!.firstLine;
  const last = slots.at(-1)!;
  const { rows } = await transaction.query<PresentSlot>(
    {
      name: 'present_slots',
      text: `SELECT first_line, lines, accepted, rejected, chunk_id FROM batch_slot
        WHERE shard = $1 AND batch = $2 AND part = 0 AND first_line + lines > $3 AND first_line < $4
        ORDER BY first_line`,
    },
    [shard, batch, first, last.firstLine + last.lines],
  );
  const mine = new Map(slots.map((slot) => [slot.firstLine, slot]));
  const same: SlotRow[] = [];
  for (const row of rows) {
    const firstLine = Number(row.first_line);
    const slot = mine.get(firstLine);
    const { lines, accepted, rejected } = row;
    if (slot && isSame(slot, row)) same.push(storedAs(slot, { lines, accepted, rejected }));
    // Between these slots may lie lines that were durable before, and are left out of them.
    else if (slots.some((other) => overlaps(other, { firstLine, lines }))) return 'other';
  }
  if (same.length === 0) return 'none';
  return same.length === slots.length && same.at(-1)!.lines === last.lines ? [] : same;
}

interface PresentSlot extends Record<string, unknown> {
  first_line: string;
  lines: number;
  accepted: number;
  rejected: number;
  chunk_id: string | null;
}

function storedAs(
  { chunk, ...slot }: SlotRow,
  counts: Pick<SlotRow, 'lines' | 'accepted' | 'rejected'>,
): SlotRow {
  return { ...slot, ...counts, ...(chunk && { chunk: { ...chunk, count: counts.accepted } }) };
}

/** A chunk's id is that of one upload's slot, which may have been cut. */
function isSame({ chunk, lines }: SlotRow, row: PresentSlot): boolean {
  return chunk ? row.chunk_id === chunk.id : row.chunk_id === null && row.lines === lines;
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
