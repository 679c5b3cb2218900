import type { Clock } from '../lib/clock.ts';
import type { Semaphore } from '../lib/semaphore.ts';
import { ProblemError } from '../message/error-codes.ts';
import type { Database } from '../store/database.ts';
import type { IdMint } from '../store/id-mint.ts';
import type { ChunkRow } from '../store/intake/insert-chunks.ts';
import { type SlotRow, storeSlots } from '../store/intake/store-slots.ts';
import type { PendingHint } from './hints.ts';
import type { KeyedLines } from './keyed-lines.ts';
import type { PackedSlot } from './pack-slot.ts';
import { retryStore } from './retry-store.ts';
import { runOfLine, shardOfRun } from './shard-of-run.ts';
import { storeParts } from './store-parts.ts';
import { supersededProblem } from './superseded-problem.ts';

/** Where the slots of one upload go. */
export interface SlotTarget {
  batch: string;
  accountId: number;
  routeId: number;
  priority: number;
  upload: number;
  /** The batch's deliveries wait for its closing. */
  held: boolean;
}

export interface SlotWriterSettings {
  database: Database;
  mint: IdMint;
  clock: Clock;
  target: SlotTarget;
  /** Transactions at once, of all uploads. */
  stores: Semaphore;
  signal: AbortSignal;
  /** Called after the COMMIT that made these slots durable. */
  onDurable: (slots: readonly SlotRow[]) => void;
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
  let gathered: SlotRow[] = [];
  let keyed: KeyedLines[] = [];
  let keyedStored: Promise<void> = Promise.resolve();
  let gatheredBytes = 0;
  let failure: { error: unknown } | undefined;

  async function flush(): Promise<void> {
    if (gathered.length === 0) return;
    const slots = gathered;
    const parts = keyed;
    gathered = [];
    keyed = [];
    gatheredBytes = 0;
    const release = await stores.acquire();
    if (failure) {
      release();
      throw failure.error;
    }
    if (parts.length > 0) {
      keyedStored = keyedStored.then(() => storeParts(settings, { slots, parts }));
      // The store that waits for it fails with it.
      keyedStored.catch(() => {});
    }
    const before = parts.length > 0 ? keyedStored : undefined;
    const store = Promise.resolve(before)
      .then(() => storeGroup(settings, slots))
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => {
        release();
        running.delete(store);
      });
    running.add(store);
  }

  return {
    async add(packed) {
      if (failure) throw failure.error;
      const previous = gathered[0];
      const full =
        previous !== undefined &&
        (runOfLine(previous.firstLine) !== runOfLine(packed.firstLine) ||
          gathered.length === slotsPerStoreMax ||
          gatheredBytes >= bytesPerStoreMax);
      if (full) await flush();
      const shard = shardOfRun(target.batch, runOfLine(packed.firstLine));
      gathered.push(slotRow(packed, { target, id: settings.mint.mint(shard) }));
      gatheredBytes += packed.payload.byteLength + (packed.keyed?.records.byteLength ?? 0);
      if (packed.keyed) keyed.push(packed.keyed);
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

async function storeGroup(settings: SlotWriterSettings, slots: SlotRow[]): Promise<void> {
  const { database, clock, signal, target } = settings;
  const { batch, upload } = target;
  const shard = shardOfRun(batch, runOfLine(slots[0]!.firstLine));
  const beganAtMs = clock.monotonicMs();
  const result = await retryStore(() => storeSlots(database, { batch, shard, upload, slots }), {
    clock,
    signal,
  });
  if (result.kind === 'superseded') throw supersededProblem();
  if (result.kind === 'overlap') {
    throw new ProblemError(
      'upload_line_mismatch',
      'Lines of this upload became durable by an older upload while this one ran. Read nextLine of the batch ' +
        'and go on from there.',
    );
  }
  settings.onDurable(slots);
  settings.onPending(
    slots.flatMap(({ chunk }) =>
      chunk && isDue(chunk, settings.nowMs()) ? [hintOf(chunk, { shard, batch, beganAtMs })] : [],
    ),
  );
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
    codec: packed.codec,
    payload: packed.payload,
    timed: packed.timed,
    firstLine: packed.firstLine,
    dueAt: target.held ? 'infinity' : packed.dueAtMs === null ? null : new Date(packed.dueAtMs),
    lookup: packed.lookup,
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
