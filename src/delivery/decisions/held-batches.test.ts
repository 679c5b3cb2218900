import { expect, test } from 'vitest';
import type { Clock } from '../../lib/clock.ts';
import { makeChunkId } from '../../message/id.ts';
import { type HeldBatch, heldDigest } from '../../store/delivery/read-held-batches.ts';
import { type HeldAs, HeldBatches } from './held-batches.ts';

const idOf = (n: number) =>
  makeChunkId({ unixMs: n, shard: 1, random: Uint8Array.from([n, 1, 2, 3, n, 5, 6, 7]) });

/** What is held in the database, and what is read of it. */
function open(held: HeldBatch[]) {
  let nowMs = 0;
  const known: [string, HeldAs][] = [];
  const all = { held, reads: 0, onRead: () => {} };
  const batches = new HeldBatches({
    store: {
      async readHeldBatches() {
        all.reads++;
        const rows = [...all.held];
        all.onRead();
        return rows;
      },
      readHeldDigest: async () => heldDigest(all.held),
    },
    clock: { monotonicMs: () => ++nowMs } as Clock,
    onHeld: (more) => known.push(...more),
    onReleased: () => {},
    onKnown: () => {},
  });
  return { all, batches, known };
}

test('however many batches are held, they are read again only when they are others', async () => {
  const { all, batches, known } = open(
    Array.from({ length: 200 }, (_, n) => ({ id: idOf(n), canceled: false })),
  );
  for (let turn = 0; turn < 5; turn++) await batches.runOnce();
  expect(all.reads).toBe(1);
  expect(known).toHaveLength(200);
  // As many as before, others, and one that is held otherwise.
  all.held = [
    ...all.held.slice(1, -1),
    { id: idOf(199), canceled: true },
    { id: idOf(201), canceled: false },
  ];
  for (let turn = 0; turn < 5; turn++) await batches.runOnce();
  expect(all.reads).toBe(2);
  expect([0, 1, 199, 201].map((n) => batches.heldAs(idOf(n)))).toEqual([
    ...[undefined, 'paused', 'canceled', 'paused'],
  ]);
});

test('a batch that is canceled again after a replay is canceled, though the same are held as before', async () => {
  const { all, batches } = open([{ id: idOf(1), canceled: true }]);
  await batches.runOnce();
  batches.noteReplayed(idOf(1));
  expect(batches.heldAs(idOf(1))).toBeUndefined();
  await batches.runOnce();
  expect(batches.heldAs(idOf(1))).toBe('canceled');
  // The same while it is being read.
  all.onRead = () => batches.noteReplayed(idOf(1));
  batches.noteReplayed(idOf(1));
  await batches.runOnce();
  expect(batches.heldAs(idOf(1))).toBeUndefined();
  all.onRead = () => {};
  await batches.runOnce();
  expect(batches.heldAs(idOf(1))).toBe('canceled');
});

test('shards that are claimed have nothing canceled by what was read before: their last owner may have replayed it', async () => {
  const { all, batches, known } = open([{ id: idOf(1), canceled: true }]);
  await batches.runOnce();
  batches.noteClaimed();
  expect(batches.heldAs(idOf(1))).toBe('paused');
  await batches.runOnce();
  expect(batches.heldAs(idOf(1))).toBe('canceled');
  // What they hold of it is canceled then.
  expect(known).toEqual([
    [idOf(1), 'canceled'],
    [idOf(1), 'canceled'],
  ]);
  // The same while it is being read, and it is replayed.
  all.held = [{ id: idOf(2), canceled: true }];
  all.onRead = () => batches.noteClaimed();
  await batches.runOnce();
  expect(batches.heldAs(idOf(2))).toBe('paused');
  all.held = [];
  await batches.runOnce();
  expect(batches.heldAs(idOf(2))).toBeUndefined();
});
