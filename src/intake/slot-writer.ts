import type { Clock } from '../lib/clock.ts';
import type { Semaphore } from '../lib/semaphore.ts';
import { markedCodec } from '../message/chunk-codec.ts';
import { ProblemError } from '../message/error-codes.ts';
import { tagCounts } from '../message/statistics/own-tags.ts';
import type { Database } from '../store/database.ts';
import type { IdMint } from '../store/id-mint.ts';
import { previewFit, type Refusal } from '../store/intake/charge.ts';
import type { ChunkRow } from '../store/intake/insert-chunks.ts';
import { type SlotRow, storeSlots } from '../store/intake/store-slots.ts';
import { type GatheredSlot, GroupOfSlots } from './group-of-slots.ts';
import type { PendingHint } from './hints.ts';
import { keyedBefore } from './keyed-lines.ts';
import type { PackedSlot } from './pack-slot.ts';
import { refuse } from './refusal-problem.ts';
import { retryStore } from './retry-store.ts';
import { runOfLine, shardOfRun } from './shard-of-run.ts';
import { storeParts } from './store-parts.ts';
import { supersededProblem } from './upload-conflicts.ts';

/** Where the slots of one upload go. */
export interface SlotTarget {
  batch: string;
  accountId: number;
  routeId: number;
  priority: number;
  /** A test key has made the batch. */
  test: boolean;
  upload: number;
  /** The batch's deliveries wait for its closing. */
  held: boolean;
  /** The batch says what it says by a template. */
  isTemplated: boolean;
  /** Of lines that name no tags. */
  tags?: readonly string[] | undefined;
}

export interface SlotWriterSettings {
  database: Database;
  mint: IdMint;
  clock: Clock;
  target: SlotTarget;
  /** Whether the account is charged for what is stored. */
  isCharged: () => boolean;
  /** What is left of a slot without its lines from `endLine` on. */
  cut: (packed: PackedSlot, endLine: number) => PackedSlot;
  /** Called with what the account may not send. */
  onRefused: (refusal: Refusal) => void;
  /** Transactions at once, of all uploads. */
  stores: Semaphore;
  signal: AbortSignal;
  /** Called after the COMMIT that made these slots durable. */
  onDurable: (slots: readonly SlotRow[], beganAtMs: number) => void;
  /** Called when so many messages with ordering keys are stored, before their slots are durable. */
  onKeyed: (accepted: number) => void;
  onPending: (hints: PendingHint[]) => void;
  /** The database's time, in Unix milliseconds. */
  nowMs: () => number;
}

/**
 * Stores packed slots in the order in which they come, many of a run in one transaction. Their messages with ordering
 * keys are stored before, on the shards of the keys and in the order of their lines.
 */
export interface SlotWriter {
  /** Takes a slot; waits while as many transactions are under way as may be. Throws what made a store fail. */
  add(slot: PackedSlot): Promise<void>;
  /** Stores what has been gathered, without waiting for its end. */
  flush(): Promise<void>;
  /** Resolves when everything is durable, and throws when something is not. */
  settle(): Promise<void>;
}

/** A run has 16 slots of 1,000 lines: more in one transaction cannot be. */
const slotsPerStoreMax = 16;
const bytesPerStoreMax = 4_194_304;

export function createSlotWriter(settings: SlotWriterSettings): SlotWriter {
  const { target, stores } = settings;
  const running = new Set<Promise<void>>();
  let gathered: GatheredSlot[] = [];
  let keyedStored: Promise<void> = Promise.resolve();
  let gatheredBytes = 0;
  let failure: { error: unknown } | undefined;

  /** Of the slot with this id of its chunk, which is kept where it is cut. */
  function cutRow({ row, packed }: GatheredSlot, endLine: number): GatheredSlot {
    const id = row.chunk?.id ?? settings.mint.mint(shardOfRun(target.batch, runOfLine(row.firstLine)));
    const keyed = packed.keyed && keyedBefore(packed.keyed, endLine);
    const left = { ...settings.cut(packed, endLine), ...(keyed && { keyed }) };
    return { row: slotRow(left, { target, id }), packed: left };
  }

  async function flush(): Promise<void> {
    if (gathered.length === 0) return;
    const group = new GroupOfSlots(gathered, cutRow);
    gathered = [];
    gatheredBytes = 0;
    const isCharged = settings.isCharged();
    // One after another: what an account may send ends at one line.
    if (isCharged) while (running.size > 0) await Promise.all(running);
    const release = await stores.acquire();
    if (failure) {
      release();
      throw failure.error;
    }
    const store = storeInOrder(group, isCharged)
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => {
        release();
        running.delete(store);
      });
    running.add(store);
  }

  async function storeInOrder(group: GroupOfSlots, isCharged: boolean): Promise<void> {
    if (group.keyed.length === 0) return await storeGroup(settings, { group, isCharged });
    const fits = isCharged ? await fitting(settings, group) : { group };
    keyedStored = keyedStored.then(() =>
      storeParts(settings, { slots: fits.group.rows, parts: fits.group.keyed, isCharged }),
    );
    await keyedStored;
    await storeGroup(settings, { group: fits.group, isCharged });
    if (fits.refusal) refuse(settings, fits.refusal);
  }

  return {
    async add(packed) {
      if (failure) throw failure.error;
      const previous = gathered[0]?.row;
      const full =
        previous !== undefined &&
        (runOfLine(previous.firstLine) !== runOfLine(packed.firstLine) ||
          gathered.length === slotsPerStoreMax ||
          gatheredBytes >= bytesPerStoreMax);
      if (full) await flush();
      const shard = shardOfRun(target.batch, runOfLine(packed.firstLine));
      gathered.push({ row: slotRow(packed, { target, id: settings.mint.mint(shard) }), packed });
      gatheredBytes += packed.payload.byteLength + (packed.keyed?.records.byteLength ?? 0);
    },
    flush,
    async settle() {
      try {
        if (!failure) await flush();
      } finally {
        while (running.size > 0) await Promise.all(running);
      }
      if (failure) throw failure.error;
    },
  };
}

/** Some shards of their keys may have others of the account's messages meanwhile: then these end the upload as well. */
async function fitting(
  { database, clock, signal, target: { accountId } }: SlotWriterSettings,
  group: GroupOfSlots,
): Promise<{ group: GroupOfSlots; refusal?: Refusal }> {
  const asked = { accountId, parts: group.partsOfAll };
  const { count, refusal } = await retryStore(() => previewFit(database, asked), { clock, signal });
  return refusal ? { group: group.firstOfAll(count), refusal } : { group };
}

async function storeGroup(
  settings: SlotWriterSettings,
  { group, isCharged }: { group: GroupOfSlots; isCharged: boolean },
): Promise<void> {
  if (group.slots.length === 0) return;
  const { database, clock, signal, target } = settings;
  const { batch, upload, accountId } = target;
  const { rows } = group;
  const shard = shardOfRun(batch, runOfLine(rows[0]!.firstLine));
  const metered = isCharged && {
    metered: { accountId, parts: group.parts, first: (messages: number) => group.first(messages).rows },
  };
  const beganAtMs = clock.monotonicMs();
  const run = { batch, shard, upload, slots: rows, ...metered };
  const result = await retryStore(() => storeSlots(database, run), { clock, signal });
  if (result.kind === 'superseded') throw supersededProblem();
  if (result.kind === 'overlap') {
    throw new ProblemError(
      'upload_line_mismatch',
      'Lines of this upload became durable by an older upload while this one ran. Read nextLine of the batch ' +
        'and go on from there.',
    );
  }
  const slots = result.kind === 'cut' ? result.slots : rows;
  settings.onDurable(slots, beganAtMs);
  settings.onPending(
    slots.flatMap(({ chunk }) =>
      chunk && isDue(chunk, settings.nowMs()) ? [hintOf(chunk, { shard, batch, beganAtMs })] : [],
    ),
  );
  if (result.kind === 'cut') refuse(settings, result.refusal);
}

function slotRow(packed: PackedSlot, { target, id }: { target: SlotTarget; id: string }): SlotRow {
  return {
    firstLine: packed.firstLine,
    lines: packed.lines,
    accepted: packed.count,
    rejected: packed.rejected,
    ...(packed.count > 0 && { chunk: chunkRow(packed, { target, id }) }),
    ...(packed.rejections && { rejections: packed.rejections }),
  };
}

function chunkRow(packed: PackedSlot, { target, id }: { target: SlotTarget; id: string }): ChunkRow {
  return {
    id,
    accountId: target.accountId,
    routeId: target.routeId,
    priority: target.priority,
    count: packed.count,
    // The slot knows whether a template says its messages.
    codec: markedCodec(packed.codec, { templated: false, test: target.test }),
    payload: packed.payload,
    ...(packed.templates && { templates: packed.templates }),
    timed: packed.timed,
    firstLine: packed.firstLine,
    dueAt: target.held ? 'infinity' : packed.dueAtMs === null ? null : new Date(packed.dueAtMs),
    lookup: packed.lookup,
    tags: tagCounts(packed.count, { own: packed.ownTags, ofBatch: target.tags }),
    tagged: packed.ownTags !== undefined,
  };
}

function isDue({ dueAt }: ChunkRow, nowMs: number): boolean {
  return dueAt === null || (dueAt !== 'infinity' && dueAt.getTime() <= nowMs);
}

function hintOf(chunk: ChunkRow, at: Pick<PendingHint, 'shard' | 'batch' | 'beganAtMs'>): PendingHint {
  return {
    ...at,
    chunkId: chunk.id,
    accountId: chunk.accountId,
    routeId: chunk.routeId,
    priority: chunk.priority,
    count: chunk.count,
  };
}
