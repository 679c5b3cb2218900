import { expect, test } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import { encodeChunk } from '../../message/chunk-codec.ts';
import { priorityNumber } from '../../message/fields.ts';
import { makeChunkId } from '../../message/id.ts';
import { stateNumber } from '../../message/state.ts';
import { Lane } from '../backlog/lane.ts';
import type { PendingChunk } from '../backlog/pending-chunk.ts';
import { Tenure } from '../ownership/tenure.ts';
import { ChunkLoader } from './chunk-loader.ts';
import type { ChunkWork } from './chunk-work.ts';

const messagesPerChunk = 20;
/** Some 0.8 MiB a chunk. */
const { codec, payload } = encodeChunk(
  Buffer.from(
    Array.from({ length: messagesPerChunk }, () =>
      JSON.stringify({ to: '+31612345678', body: 'x'.repeat(40_000) }),
    ).join('\n'),
  ),
);

/** A loader whose lanes send all they have to one destination that takes nothing unless the test says so. */
class Bench {
  nowMs = 0;
  sent = 0;
  readonly reads: string[] = [];
  readonly works = new Map<Lane, ChunkWork[]>();
  readonly tenure = new Tenure({ shard: 0, epoch: 1, sinceMs: 0 });
  #chunks = 0;
  readonly loader = new ChunkLoader({
    store: {
      loadChunks: async ({ ids }) => {
        this.reads.push(...ids);
        return ids.map((id) => ({ id, codec, payload, timed: false, templates: null }));
      },
      loadOutcomes: async () => [],
      loadTaggedChunks: async () => [],
      loadBatchDefaults: async () => [],
      loadTemplateVersions: async () => [],
    },
    clock: { ...systemClock, monotonicMs: () => this.nowMs },
    databaseNowMs: (ms) => ms,
    readyWanted: (lane) => (lane.isCrowded ? 0 : 100),
    dropStored: () => {},
    suppressions: { concerns: () => false, check: async () => new Map() },
    onInterrupted: () => 'resend',
    onLoaded: (work) => this.#onLoaded(work),
    onCrowded: () => {},
    isClosed: () => false,
    isStuck: (lane) => lane.isCrowded,
    onError: (error) => {
      throw error;
    },
  });

  lane(accountId: number, chunks: number, priority = 1): Lane {
    const lane = new Lane({ accountId, routeId: 1, priority }, 1);
    this.works.set(lane, []);
    for (; chunks > 0; chunks--) this.add(lane);
    return lane;
  }

  add(lane: Lane): void {
    const id = makeChunkId({ unixMs: 1_000 + this.#chunks++, shard: 0, random: new Uint8Array(8) });
    const chunk: PendingChunk = {
      ...{ id, tenure: this.tenure, lane, batch: null, count: messagesPerChunk, place: 'due' },
      ...{ remaining: null, dueAtMs: 0, fresh: false },
    };
    this.tenure.chunks.set(id, chunk);
    lane.enqueue(chunk);
    this.loader.want(lane);
  }

  /** Until nothing is read any more. */
  async settle(): Promise<void> {
    for (let quiet = 0, reads = -1; quiet < 20; quiet++) {
      if (reads !== this.reads.length) quiet = 0;
      reads = this.reads.length;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** The chunks that the lane has in memory. */
  inMemory(lane: Lane): ChunkWork[] {
    return this.works.get(lane)!.filter((work) => work.chunk.work === work);
  }

  /** The destination takes what waits of the chunk that the lane has had in memory for the longest time. */
  send(lane: Lane): void {
    const [work] = this.inMemory(lane);
    for (let offset = 0; offset < messagesPerChunk; offset++) {
      if (!work!.aside.has(offset)) continue;
      work!.takeAside(offset);
      work!.record(offset, { state: stateNumber.sent, attempt: 1, atMs: this.nowMs });
      this.sent++;
    }
    if (work!.unsettled === 0) {
      this.tenure.chunks.delete(work!.chunk.id);
      this.loader.release(work!);
    }
    this.#putAside(lane);
  }

  #onLoaded(work: ChunkWork): void {
    const { lane } = work.chunk;
    this.works.get(lane)!.push(work);
    lane.offer(work, work.ready);
    this.#putAside(lane);
  }

  #putAside(lane: Lane): void {
    while (lane.ready > 0 && !lane.isCrowded) {
      const front = lane.front()!;
      lane.ready--;
      front.putAside(front.take(), '+31');
    }
    this.loader.want(lane);
  }
}

test('lanes that flood a slow destination are read until memory is full, and then not again and again', async () => {
  const bench = new Bench();
  const lanes = Array.from({ length: 20 }, (_, account) => bench.lane(account, 50));
  await bench.settle();
  const first = bench.reads.length;
  // 32 MiB hold some 40 chunks; each lane reads no further than its first chunk that had to leave, and what was under way.
  expect(first).toBeLessThan(250);
  expect(bench.loader.loadedBytes).toBeLessThan(48 * 1_048_576);
  for (let second = 1; second <= 60; second++) {
    bench.nowMs = second * 1_000;
    for (const lane of lanes) bench.loader.want(lane);
    bench.loader.returnDisplaced();
    await bench.settle();
  }
  // Every lane has a chunk in memory, so that none comes back before something has left.
  for (const lane of lanes) expect(bench.inMemory(lane).length).toBeGreaterThan(0);
  expect(bench.reads.length).toBeLessThanOrEqual(first + lanes.length);
});

test('what had to leave memory comes back in its turn, and every chunk is sent once', async () => {
  const bench = new Bench();
  const lanes = Array.from({ length: 10 }, (_, account) => bench.lane(account, 15));
  await bench.settle();
  for (let step = 0; bench.tenure.chunks.size > 0; step++) {
    expect(step).toBeLessThan(1_000);
    for (const lane of lanes) if (bench.inMemory(lane).length > 0) bench.send(lane);
    await bench.settle();
    bench.nowMs += 1_000;
    bench.loader.returnDisplaced();
    await bench.settle();
  }
  expect(bench.loader.loadedBytes).toBe(0);
  expect(bench.sent).toBe(10 * 15 * messagesPerChunk);
  for (const lane of lanes) {
    expect([lane.aside, lane.asideBytes, lane.ready, lane.due]).toEqual([0, 0, 0, 0]);
    expect([lane.displaced.messages, lane.displaced.bytes]).toEqual([0, 0]);
  }
});

test('an interactive message keeps its place in memory while bulk gives way', async () => {
  const bench = new Bench();
  for (let account = 0; account < 6; account++) bench.lane(account, 50);
  await bench.settle();
  const interactive = bench.lane(99, 1, priorityNumber.interactive);
  await bench.settle();
  for (let account = 10; account < 60; account++) bench.lane(account, 50);
  await bench.settle();
  expect(bench.inMemory(interactive)).toHaveLength(1);
});

test('a chunk that leaves memory takes its text along', async () => {
  const bench = new Bench();
  const lanes = Array.from({ length: 20 }, (_, account) => bench.lane(account, 50));
  await bench.settle();
  const gone = lanes.flatMap((lane) => bench.works.get(lane)!.filter((work) => work.chunk.work !== work));
  expect(gone.length).toBeGreaterThan(0);
  for (const work of gone) expect(() => work.fieldsAt(0)).toThrow();
});

test('a lane whose chunks were canceled while they were displaced goes on', async () => {
  const bench = new Bench();
  const lanes = Array.from({ length: 10 }, (_, account) => bench.lane(account, 50));
  await bench.settle();
  const lane = lanes.find(({ displaced }) => displaced.length > 0)!;
  for (const [id, chunk] of bench.tenure.chunks) if (chunk.lane === lane) bench.tenure.chunks.delete(id);
  for (const work of bench.inMemory(lane)) bench.loader.release(work);
  bench.loader.returnDisplaced();
  expect(lane.displaced.length + lane.displaced.messages + lane.displaced.bytes).toBe(0);
  bench.add(lane);
  await bench.settle();
  expect(bench.inMemory(lane)).toHaveLength(1);
});
