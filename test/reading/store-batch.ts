import { NdjsonCutter } from '../../src/intake/ndjson-cutter.ts';
import { packSlot } from '../../src/intake/pack-slot.ts';
import { runOfLine, shardOfRun } from '../../src/intake/shard-of-run.ts';
import { bitmapOf } from '../../src/message/bitmap.ts';
import type { MessageDefaults } from '../../src/message/fields.ts';
import { shardOf } from '../../src/message/id.ts';
import { type StateNumber, stateNumber } from '../../src/message/state.ts';
import type { Database } from '../../src/store/database.ts';
import { type OutcomeInsert, recordOutcomes } from '../../src/store/delivery/record-outcomes.ts';
import { createIdMint } from '../../src/store/id-mint.ts';
import { createBatch } from '../../src/store/intake/create-batch.ts';
import { storeSlots } from '../../src/store/intake/store-slots.ts';

export interface StoredBatch {
  id: string;
  /** With their numbers of messages, in the order of the lines. */
  chunks: { id: string; count: number }[];
}

const dayMs = 86_400_000;
const mint = createIdMint({
  nowMs: Date.now,
  range: () => ({ fromMs: Date.now() - dayMs, toMs: Date.now() + dayMs }),
});

/** A batch whose lines are stored as an upload stores them, without a server: cut, packed, committed. */
export async function storeBatch(
  database: Database,
  settings: {
    accountId: number;
    routeId: number;
    lines: readonly string[];
    defaults?: MessageDefaults;
    /** Lines of a chunk at most; 1,000 when not given. */
    chunkLines?: number;
  },
): Promise<StoredBatch> {
  const { accountId, routeId, lines, defaults = {}, chunkLines = 1_000 } = settings;
  const id = mint.mint(7);
  await createBatch(database, { id, accountId, routeId, priority: 1, startOn: 'now', defaults });
  const cutter = new NdjsonCutter({ firstLine: 1 });
  const slots = [];
  for (let from = 0; from < lines.length; from += chunkLines) {
    const some = lines.slice(from, from + chunkLines);
    slots.push(...cutter.push(Buffer.from(`${some.join('\n')}\n`)), ...cutter.flush());
  }
  const chunks: StoredBatch['chunks'] = [];
  for (const slot of slots) {
    const shard = shardOfRun(id, runOfLine(slot.firstLine));
    const packed = packSlot(slot, { accountId, batch: true });
    const chunkId = mint.mint(shard);
    if (packed.count > 0) chunks.push({ id: chunkId, count: packed.count });
    await storeSlots(database, {
      batch: id,
      shard,
      upload: 1,
      slots: [
        {
          firstLine: packed.firstLine,
          lines: packed.lines,
          accepted: packed.count,
          rejected: packed.rejected,
          ...(packed.rejections && { rejections: packed.rejections }),
          ...(packed.count > 0 && {
            chunk: {
              id: chunkId,
              accountId,
              routeId,
              priority: 1,
              count: packed.count,
              codec: packed.codec,
              payload: packed.payload,
              timed: packed.timed,
              firstLine: packed.firstLine,
              dueAt: null,
              lookup: packed.lookup,
            },
          }),
        },
      ],
    });
  }
  return { id, chunks };
}

let sequence = 0;

/** Records one outcome of some messages of a chunk (of all without `offsets`), as its owner would. */
export async function recordOutcome(
  database: Database,
  outcome: {
    batch: string | null;
    chunk: { id: string; count: number };
    state: StateNumber;
    offsets?: number[];
  } & Partial<Omit<OutcomeInsert, 'offsets'>>,
): Promise<void> {
  const { batch, chunk, state, offsets, ...more } = outcome;
  const count = offsets?.length ?? chunk.count;
  const final = state >= stateNumber.sent;
  await recordOutcomes(database, {
    shard: shardOf(chunk.id),
    epoch: 0,
    outcomes: [
      {
        accountId: 1,
        chunkId: chunk.id,
        seq: String(++sequence),
        batch,
        state,
        attempt: 1,
        count,
        offsets: offsets ? bitmapOf(chunk.count, offsets) : null,
        errorCode: null,
        details: null,
        providerRefs: null,
        agoMs: 0,
        dueInMs: null,
        ...more,
      },
    ],
    progress: batch === null ? [] : [{ batch, state, delta: count }],
    finished: final && !offsets ? [chunk.id] : [],
    waiting: [],
    renewed: [],
    answered: [],
  });
}
