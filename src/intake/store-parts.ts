import { createSemaphore } from '../lib/semaphore.ts';
import { storePart } from '../store/intake/store-part.ts';
import type { SlotRow } from '../store/intake/store-slots.ts';
import type { KeyedLines } from './keyed-lines.ts';
import { type KeyedMessage, keyedByShard, keyedChunks } from './keyed-part.ts';
import { refuse } from './refusal-problem.ts';
import { retryStore } from './retry-store.ts';
import type { SlotWriterSettings } from './slot-writer.ts';
import { supersededProblem } from './upload-conflicts.ts';

/** Shards of one group of slots that are written at the same time. */
const shardsAtOnceMax = 4;

/**
 * Stores the messages with ordering keys of some slots, each shard's in a transaction of its own. To be called for one group
 * of slots after the other: then messages of a key are stored in the order of their lines.
 */
export async function storeParts(
  settings: SlotWriterSettings,
  {
    slots,
    parts,
    isCharged,
  }: { slots: readonly SlotRow[]; parts: readonly KeyedLines[]; isCharged: boolean },
): Promise<void> {
  if (parts.length === 0) return;
  const first = slots[0]!;
  const last = slots.at(-1)!;
  const extent = { firstLine: first.firstLine, lines: last.firstLine + last.lines - first.firstLine };
  const stores = createSemaphore(shardsAtOnceMax);
  const results = await Promise.allSettled(
    [...keyedByShard(parts)].map(([shard, messages]) =>
      stores.run(() => storeOne(settings, { shard, messages, extent, isCharged })),
    ),
  );
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

async function storeOne(
  settings: SlotWriterSettings,
  {
    shard,
    messages,
    extent,
    isCharged,
  }: {
    shard: number;
    messages: KeyedMessage[];
    extent: { firstLine: number; lines: number };
    isCharged: boolean;
  },
): Promise<void> {
  const { database, clock, signal, target, mint } = settings;
  const { batch, upload, accountId, routeId, priority } = target;
  const ids: string[] = [];
  const idOf = (index: number) => (ids[index] ??= mint.mint(shard));
  const all = keyedChunks(messages, { target, idOf });
  const chunksWithout = (durable: readonly { firstLine: number; lines: number }[]) =>
    durable.length === 0
      ? all
      : keyedChunks(
          messages.filter(({ line }) => !durable.some((one) => isWithin(line, one))),
          { target, idOf },
        );
  const metered = isCharged && { metered: accountId };
  const beganAtMs = clock.monotonicMs();
  const result = await retryStore(
    () => storePart(database, { batch, shard, upload, ...extent, chunksWithout, ...metered }),
    { clock, signal },
  );
  if (result.kind === 'superseded') throw supersededProblem();
  if (result.kind === 'refused') refuse(settings, result.refusal);
  const { chunks } = result;
  if (chunks.length === 0) return;
  const [chunk] = chunks;
  settings.onKeyed(chunks.reduce((sum, { count }) => sum + count, 0));
  // One is enough: that there is something to read.
  const key = { shard, chunkId: chunk!.id, count: chunk!.count, accountId, routeId, priority, batch };
  settings.onPending([{ ...key, beganAtMs, ordered: true }]);
}

function isWithin(line: number, { firstLine, lines }: { firstLine: number; lines: number }): boolean {
  return line >= firstLine && line < firstLine + lines;
}
