import type { Amount } from '../../message/allowance.ts';
import type { Database, Queryable } from '../database.ts';
import { insertRows } from '../multi-row.ts';
import { charge, lockMeter, type Refusal, refusalOfWhole } from './charge.ts';
import { type ChunkRow, insertChunks } from './insert-chunks.ts';
import { raiseFence, raiseProgress } from './store-slots.ts';
import type { Extent } from './uploads.ts';

/** The messages of some slots whose ordering keys belong to one shard. */
export interface PartOfSlots extends Extent {
  batch: string;
  shard: number;
  /** This upload's number: see `batch_fence`. */
  upload: number;
  /** The chunks of those that lie in none of these extents. The same each time, under the same ids. */
  chunksWithout: (durable: readonly Extent[]) => ChunkRow[];
  /** The account that is charged for them, where it is. */
  metered?: number;
}

/**
 * The chunks as they are stored now, or that a newer upload has written to this shard, or that the account may not send all of
 * these messages: then none of them is stored.
 */
export type StorePartResult =
  | { kind: 'stored'; chunks: ChunkRow[] }
  | { kind: 'superseded' }
  | { kind: 'refused'; refusal: Refusal };

/**
 * Stores a part of some slots in one transaction on its shard, before the slots themselves: where a slot is durable, so
 * are all its parts. Lines that an earlier upload stored in a part of its own, and whose slot it did not come to store,
 * are left out, however that one had cut them. Repeating it after an ambiguous COMMIT changes nothing.
 */
export async function storePart(database: Database, part: PartOfSlots): Promise<StorePartResult> {
  const expected = part.chunksWithout([]);
  return await database.transaction(async (transaction) => {
    if (!(await raiseFence(transaction, part))) return { kind: 'superseded' };
    const present = await presentParts(transaction, part);
    const chunks = present.length === 0 ? expected : part.chunksWithout(present);
    const mine = new Set(expected.map(({ id }) => id));
    if (present.some(({ chunkId }) => mine.has(chunkId))) return { kind: 'stored', chunks: expected };
    if (chunks.length === 0) return { kind: 'stored', chunks };
    const accepted = chunks.reduce((sum, { count }) => sum + count, 0);
    const parts = chunks.reduce((sum, chunk) => sum + (chunk.parts ?? chunk.count), 0);
    const refusal = await payFor(transaction, part, { messages: accepted, parts });
    if (refusal) return { kind: 'refused', refusal };
    const { batch, shard } = part;
    await insertChunks(transaction, { shard, batch, chunks });
    await insertParts(transaction, { part, chunks, present });
    await raiseProgress(transaction, { batch, shard, slots: [{ accepted, rejected: 0 }] });
    return { kind: 'stored', chunks };
  });
}

/** Behind the fence, and before the places of the shard: who waits for one of these holds no meter. */
async function payFor(
  transaction: Queryable,
  { metered }: PartOfSlots,
  amount: Amount,
): Promise<Refusal | undefined> {
  if (metered === undefined) return undefined;
  const meter = await lockMeter(transaction, metered);
  const refusal = refusalOfWhole(meter, amount);
  if (refusal === undefined) await charge(transaction, meter, amount);
  return refusal;
}

interface PresentPart extends Extent {
  part: number;
  chunkId: string;
}

async function presentParts(
  transaction: Queryable,
  { batch, shard, firstLine, lines }: PartOfSlots,
): Promise<PresentPart[]> {
  const { rows } = await transaction.query<{ first: string; lines: number; part: number; chunk_id: string }>(
    {
      name: 'present_parts',
      text: `SELECT first_line AS first, lines, part, chunk_id FROM batch_slot
        WHERE shard = $1 AND batch = $2 AND part > 0 AND first_line + lines > $3 AND first_line < $4`,
    },
    [shard, batch, firstLine, firstLine + lines],
  );
  return rows.map((row) => ({
    firstLine: Number(row.first),
    lines: row.lines,
    part: row.part,
    chunkId: row.chunk_id,
  }));
}

async function insertParts(
  transaction: Queryable,
  { part, chunks, present }: { part: PartOfSlots; chunks: ChunkRow[]; present: PresentPart[] },
): Promise<void> {
  const { batch, shard, firstLine, lines } = part;
  const sameStart = present.filter((other) => other.firstLine === firstLine);
  const first = Math.max(0, ...sameStart.map((other) => other.part)) + 1;
  await insertRows(transaction, {
    name: 'insert_parts',
    into: 'INSERT INTO batch_slot (shard, batch, first_line, lines, accepted, rejected, chunk_id, part)',
    rows: chunks.map(({ id, count }, index) => [
      ...[shard, batch, firstLine, lines],
      ...[count, 0, id, first + index],
    ]),
  });
}
