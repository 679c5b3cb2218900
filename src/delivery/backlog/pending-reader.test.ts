import { beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import type { PendingRow } from '../../store/delivery/read-pending.ts';
import type { PendingStore } from '../delivery-store.ts';
import { Tenure } from '../ownership/tenure.ts';
import type { Backlog } from './backlog.ts';
import { PendingReader } from './pending-reader.ts';

const turnMs = 250;

/** Chunks of a long backlog, and of a batch that waits for its closing. */
const rows = Array.from({ length: 20_000 }, (_, n): PendingRow => {
  const chunkId = `01932c07-a3b0-7005-8000-${n.toString(16).padStart(12, '0')}`;
  const batch = n % 5_000 === 0 ? 'late' : 'others';
  const lane = { accountId: 1, routeId: 1, priority: 1 };
  const state = { remaining: null, dueInMs: 0, ordered: null, putOffBy: null };
  return { chunkId, shard: 5, ...lane, count: 1, batch, ...state };
});

let nowMs: number;
let released: string[];
let taken: PendingRow[];
/** How far each read of what is new looked back. */
let looks: number[];
let refusesBatches: boolean;
let reader: PendingReader;

beforeEach(() => {
  [nowMs, released, taken, looks, refusesBatches] = [1_000, [], [], [], false];
  const store: PendingStore = {
    async readRecentPending({ ageMs }) {
      looks.push(ageMs);
      return [];
    },
    readPendingAfter: async ({ after, limit }) =>
      rows.filter(({ chunkId }) => chunkId > after.chunkId).slice(0, limit),
    readPendingOfLane: async () => [],
    async readPendingOfBatch({ batch, after = '', limit }) {
      if (refusesBatches) throw new Error('canceling statement due to statement timeout');
      const own = rows.filter((row) => row.batch === batch && row.chunkId > after).slice(0, limit);
      return { rows: own, next: own.length < limit ? undefined : own.at(-1)!.chunkId };
    },
    readReleasedBatches: async () => released,
  };
  const backlog = {
    ...{ lanes: [], beginRead: () => ({ beganAtMs: nowMs }), endRead: () => {} },
    takeRow: (row: PendingRow) => taken.push(row),
  } as unknown as Backlog;
  const clock = { ...systemClock, monotonicMs: () => nowMs };
  reader = new PendingReader({ store, clock, backlog, heldShards: () => [5] });
});

async function readFor(ms: number): Promise<number> {
  taken = [];
  for (const endMs = nowMs + ms; nowMs < endMs; nowMs += turnMs) await reader.runOnce().catch(() => {});
  return taken.length;
}

test('the release of a batch has its own chunks read, and not the backlog of others', async () => {
  expect(await readFor(10_000)).toBe(rows.length);
  expect(await readFor(10_000)).toBe(0);
  released = ['late'];
  expect(await readFor(10_000)).toBe(4);
  expect(new Set(taken.map(({ batch }) => batch))).toEqual(new Set(['late']));
});

test('word of a release has the chunks read once, also when it is found by reading later', async () => {
  await readFor(10_000);
  released = ['late'];
  reader.noteReleased('late');
  expect(await readFor(10_000)).toBe(4);
});

test('a chunk that was forgotten is read for once more where its batch has been released, and only there', async () => {
  await readFor(10_000);
  reader.noteForgotten('late');
  expect(await readFor(10_000)).toBe(0);
  released = ['late'];
  await readFor(10_000);
  reader.noteForgotten('late');
  expect(await readFor(10_000)).toBe(4);
});

test('released batches that cannot be read keep neither the others nor a claimed shard waiting', async () => {
  await readFor(10_000);
  [released, refusesBatches] = [['others', 'late'], true];
  expect(await readFor(10_000)).toBe(rows.length);
  reader.noteClaimed([new Tenure({ shard: 5, epoch: 2, sinceMs: nowMs })]);
  expect(await readFor(10_000)).toBe(rows.length);
});

test('more releases than can be read one by one are found by reading everything', async () => {
  await readFor(10_000);
  released = ['late', ...Array.from({ length: 2_000 }, (_, n) => `batch ${n}`)];
  expect(await readFor(10_000)).toBe(rows.length);
});

test('a read of what is new looks back to the last one, however long its turn took to come', async () => {
  await readFor(turnMs * 2);
  nowMs += 15_000;
  await readFor(turnMs);
  const [far, near, late] = looks;
  expect([far, near! - turnMs, late! - turnMs - 15_000]).toEqual([40_000, 2_000, 2_000]);
  nowMs += 600_000;
  expect(await readFor(10_000)).toBe(rows.length);
  expect(Math.max(...looks)).toBe(80_000);
});
