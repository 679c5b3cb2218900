import { expect, test } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import type { PendingRow } from '../../store/delivery/read-pending.ts';
import type { PendingStore } from '../delivery-store.ts';
import type { Backlog } from './backlog.ts';
import { PendingReader } from './pending-reader.ts';

/** Chunks of a long backlog, and of a batch that waits for its closing. */
const rows = Array.from({ length: 20_000 }, (_, n): PendingRow => {
  const chunkId = `01932c07-a3b0-7005-8000-${n.toString(16).padStart(12, '0')}`;
  const batch = n % 5_000 === 0 ? 'late' : 'others';
  const lane = { accountId: 1, routeId: 1, priority: 1 };
  return { chunkId, shard: 5, ...lane, count: 1, batch, remaining: null, dueInMs: 0, ordered: null };
});

test('the release of a batch has its own chunks read, and not the backlog of others', async () => {
  let nowMs = 0;
  let released: string[] = [];
  let taken: PendingRow[] = [];
  const after = ({ after, limit }: { after: { chunkId: string }; limit: number }) =>
    rows.filter(({ chunkId }) => chunkId > after.chunkId).slice(0, limit);
  const store: PendingStore = {
    readRecentPending: async () => [],
    readPendingAfter: async (read) => after(read),
    readPendingOfLane: async () => [],
    readPendingOfBatches: async ({ batches, ...read }) =>
      after({ ...read, limit: rows.length }).filter(({ batch }) => batches.includes(batch!)),
    readReleasedBatches: async () => released,
  };
  const backlog = {
    ...{ lanes: [], beginRead: () => ({ beganAtMs: nowMs }), endRead: () => {} },
    takeRow: (row: PendingRow) => taken.push(row),
  } as unknown as Backlog;
  const clock = { ...systemClock, monotonicMs: () => nowMs };
  const reader = new PendingReader({ store, clock, backlog, heldShards: () => [5] });
  const turns = async () => {
    taken = [];
    for (const endMs = nowMs + 10_000; nowMs < endMs; nowMs += 250) await reader.runOnce();
    return taken.length;
  };
  expect(await turns()).toBe(rows.length);
  expect(await turns()).toBe(0);
  released = ['late'];
  expect(await turns()).toBe(4);
  expect(new Set(taken.map(({ batch }) => batch))).toEqual(new Set(['late']));
});
