import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bitmapOf } from '../../src/message/bitmap.ts';
import { encodeOrdering } from '../../src/message/ordering.ts';
import { stateNumber } from '../../src/message/state.ts';
import type { OutcomeFlush, OutcomeInsert } from '../../src/store/delivery/record-outcomes.ts';
import { modelHarness, postgresHarness, type StoreHarness } from './store-harness.ts';

const [one, other] = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'];
const shard = 9;
const patienceMs = 10_000;

/** What delivery relies on, of the statements on PostgreSQL and of the model that is simulated alike. */
describe.each([
  ['PostgreSQL', postgresHarness],
  ['the model', modelHarness],
])('the store on %s', (_, open) => {
  let harness: StoreHarness;

  beforeEach(async () => {
    harness = await open();
  });

  afterEach(async () => {
    await harness.close();
  });

  const row: Omit<OutcomeInsert, 'chunkId' | 'seq' | 'batch'> = {
    ...{ state: stateNumber.sent, attempt: 1, count: 4, offsets: null, errorCode: null, details: null },
    ...{ accountId: 1, providerRefs: null, agoMs: 5, dueInMs: null },
  };

  function flushOf(some: Partial<OutcomeFlush>): OutcomeFlush {
    const none = { outcomes: [], progress: [], finished: [], waiting: [], renewed: [], answered: [] };
    return { shard, epoch: 1, ...none, ...some };
  }

  /** Waits for whoever has locked the shard. */
  async function claim(workerId: string, epoch: number, lockMs = patienceMs) {
    const claimed = await harness.store.claimShards({ workerId, free: [{ shard, epoch }], lockMs });
    if (claimed === undefined) throw new Error('the shard was locked for all that time');
    return claimed;
  }

  async function read(after = { chunkId: '00000000-0000-0000-0000-000000000000', shard: -1 }, limit = 10) {
    return await harness.store.readPendingAfter({ shards: [shard, 12], after, limit });
  }

  test('a shard is claimed once for each epoch, and given up only as it was claimed', async () => {
    const { store } = harness;
    const [first, second] = await Promise.all([claim(one, 0), claim(other, 0)]);
    expect([...first, ...second]).toEqual([{ shard, epoch: 1 }]);
    const owner = first.length > 0 ? one : other;
    expect(await store.readOwnedShards(owner)).toEqual([{ shard, epoch: 1 }]);
    expect((await store.readFreeShards([])).some((free) => free.shard === shard)).toBe(false);
    expect(await store.readFreeShards([owner])).toContainEqual({ shard, epoch: 1 });
    expect((await store.readOwners()).shardsByWorker.get(owner)).toBe(1);
    await store.releaseShards({ workerId: owner, shards: [{ shard, epoch: 0 }], lockMs: patienceMs });
    expect(await store.readOwnedShards(owner)).toHaveLength(1);
    await store.releaseShards({ workerId: owner, shards: [{ shard, epoch: 1 }], lockMs: patienceMs });
    expect(await store.readOwnedShards(owner)).toEqual([]);
    expect(await store.readFreeShards([])).toContainEqual({ shard, epoch: 1 });
  });

  test('a lease is taken only with the beat that was seen, and does not come back', async () => {
    const { store } = harness;
    const worker = { id: one, host: 'here', pid: 1 };
    await store.registerWorker(worker);
    expect((await store.readOwners()).beats.get(one)).toBe('0');
    expect(await store.beatWorker(one)).toBeGreaterThan(1.7e12);
    await store.registerWorker(worker);
    expect((await store.readOwners()).beats.get(one)).toBe('1');
    expect(await store.removeSilentWorker({ id: one, beat: '0' })).toBe(false);
    expect(await store.removeSilentWorker({ id: one, beat: '1' })).toBe(true);
    expect(await store.beatWorker(one)).toBeUndefined();
    expect((await store.readOwners()).beats.size).toBe(0);
  });

  test('shares are granted behind the fence of shard 0, and those of workers that are gone can be told', async () => {
    const { store } = harness;
    await store.registerWorker({ id: one, host: 'here', pid: 1 });
    await store.claimShards({ workerId: one, free: [{ shard: 0, epoch: 0 }], lockMs: patienceMs });
    expect(await store.readPaceGrant(one)).toBeUndefined();
    const grant = { version: 1, shares: { '*': 0.5, 'rate:1': 0.25 } };
    const grants = [one, other].map((workerId) => ({ workerId, ...grant }));
    expect(await store.grantPace({ epoch: 0, round: 0, grants, gone: [] })).toBe(false);
    expect((await store.readPace()).grants.size).toBe(0);
    expect(await store.grantPace({ epoch: 1, round: 0, grants, gone: [] })).toBe(true);
    // The same again, committed late, meets another round.
    expect(await store.grantPace({ epoch: 1, round: 0, grants: [], gone: [one] })).toBe(false);
    expect(await store.readPaceGrant(one)).toEqual(grant);
    const report = { demand: { 'rate:1': 8 }, used: grant };
    await store.reportPace({ workerId: one, seq: 2, ...report });
    await store.reportPace({ workerId: one, seq: 1, demand: {}, used: { version: 0, shares: {} } });
    const state = await store.readPace();
    expect(state.workers).toEqual([{ id: one, leaving: false, report }]);
    expect(state.grants.get(other)).toEqual(grant);
    const lower = { version: 2, shares: { '*': 1 } };
    const decision = { epoch: 1, round: 1, grants: [{ workerId: one, ...lower }], gone: [other] };
    expect(await store.grantPace(decision)).toBe(true);
    expect([...(await store.readPace()).grants]).toEqual([[one, lower]]);
  });

  test.each([[true], [false]])(
    'a flush counts once however often it is tried (in a batch: %s)',
    async (inBatch) => {
      const { store } = harness;
      await claim(one, 0);
      const batch = inBatch ? await harness.insertBatch(4) : null;
      const chunkId = await harness.insertChunk({ shard, count: 4, ...(batch !== null && { batch }) });
      const progress = batch === null ? [] : [{ batch, state: stateNumber.sent, delta: 4 }];
      const outcomes = [{ ...row, chunkId, batch, seq: '4294967296' }];
      const flush = flushOf({ outcomes, progress, finished: [chunkId] });
      expect(await store.recordOutcomes({ ...flush, epoch: 2 })).toBe(false);
      expect(await store.loadOutcomes({ ids: [chunkId] })).toEqual([]);
      expect(await harness.pendingCount()).toBe(1);
      const [first, second] = await Promise.all([store.recordOutcomes(flush), store.recordOutcomes(flush)]);
      expect([first, second, await store.recordOutcomes(flush)]).toEqual([true, true, true]);
      expect(await store.loadOutcomes({ ids: [chunkId] })).toMatchObject([
        { chunkId, state: 3, attempt: 1, offsets: null },
      ]);
      expect(await harness.pendingCount()).toBe(0);
      if (batch !== null) expect(await harness.progressOf(batch)).toEqual({ 100: 4, 3: 4 });
      await claim(other, 1);
      expect(
        await store.recordOutcomes({ ...flush, outcomes: [{ ...outcomes[0]!, seq: '4294967297' }] }),
      ).toBe(false);
    },
  );

  test('a flush that arrives once more takes nothing from what was replayed since', async () => {
    const { store } = harness;
    await claim(one, 0);
    const chunkId = await harness.insertChunk({ shard, count: 4 });
    const failed = { ...row, chunkId, batch: null, seq: '4294967296', state: stateNumber.failed };
    const flush = flushOf({ outcomes: [failed], finished: [chunkId] });
    await store.recordOutcomes(flush);
    const key = { accountId: 1, routeId: 1, priority: 1, count: 4, batch: null };
    const replayed = { ...failed, seq: '4294967297', state: stateNumber.queued };
    const renewed = [{ ...key, chunkId, remaining: null, dueInMs: 0, putOffBy: null }];
    await store.recordOutcomes(flushOf({ outcomes: [replayed], renewed }));
    expect(await store.recordOutcomes(flush)).toBe(true);
    expect(await harness.pendingCount()).toBe(1);
  });

  test('a claim waits for the transaction that is recording, and a recording for the claim', async () => {
    await claim(one, 0);
    const release = await harness.holdFence(shard, 1);
    let claimed = false;
    const claiming = claim(other, 1).then((shards) => {
      claimed = true;
      return shards;
    });
    await harness.lockAwaited();
    expect(claimed).toBe(false);
    await release();
    expect(await claiming).toEqual([{ shard, epoch: 2 }]);
    expect(await harness.store.recordOutcomes(flushOf({ finished: [] }))).toBe(false);
  });

  test('a claim of which one shard stays locked ends in its time, and nothing of it is claimed', async () => {
    const { store } = harness;
    await claim(one, 0);
    const release = await harness.holdFence(shard, 1);
    const free = [12, shard, 13].map((each) => ({ shard: each, epoch: each === shard ? 1 : 0 }));
    const soon = { workerId: other, lockMs: 20 };
    expect(await store.claimShards({ ...soon, free })).toBeUndefined();
    expect(await store.readFreeShards([one])).toEqual(expect.arrayContaining(free));
    const others = free.filter((each) => each.shard !== shard);
    expect(await store.claimShards({ ...soon, free: others })).toHaveLength(2);
    await release();
    expect(await claim(other, 1)).toEqual([{ shard, epoch: 2 }]);
  });

  test('what waits is due later, with what remains of it; what is decided on is pending again', async () => {
    const { store } = harness;
    await claim(one, 0);
    const chunkId = await harness.insertChunk({ shard, count: 4 });
    const remaining = bitmapOf(4, [1, 3]);
    const retry = { ...row, state: stateNumber.retrying, count: 2, offsets: remaining, dueInMs: 60_000 };
    const outcomes = [
      { ...retry, chunkId, batch: null, seq: '4294967297' },
      { ...row, count: 2, offsets: bitmapOf(4, [0, 2]), chunkId, batch: null, seq: '4294967296' },
    ];
    await store.recordOutcomes(
      flushOf({ outcomes, waiting: [{ chunkId, remaining, dueInMs: 60_000, putOffBy: -7 }] }),
    );
    const [waiting] = await read();
    expect(waiting).toMatchObject({
      chunkId,
      shard,
      accountId: 1,
      routeId: 1,
      priority: 1,
      count: 4,
      batch: null,
    });
    expect([...waiting!.remaining!]).toEqual([...remaining]);
    expect(waiting!.dueInMs).toBeGreaterThan(30_000);
    expect(waiting!.dueInMs).toBeLessThanOrEqual(60_000);
    expect(waiting!.putOffBy).toBe(-7);
    const recorded = await store.loadOutcomes({ ids: [chunkId] });
    expect(recorded.map(({ state }) => state)).toEqual([stateNumber.sent, stateNumber.retrying]);
    expect(recorded[1]!.dueAt!.getTime() - recorded[1]!.at.getTime()).toBe(60_005);
    const finishing = { ...row, count: 2, offsets: remaining, chunkId, batch: null, seq: '4294967298' };
    await store.recordOutcomes(flushOf({ outcomes: [finishing], finished: [chunkId] }));
    expect(await read()).toEqual([]);
    const key = { accountId: 1, routeId: 1, priority: 1, count: 4, batch: null };
    for (const dueInMs of [0, -50])
      await store.recordOutcomes(
        flushOf({ renewed: [{ ...key, chunkId, remaining, dueInMs, putOffBy: null }] }),
      );
    expect(await read()).toMatchObject([{ ...key, chunkId }]);
  });

  test('what waits for the closing of its batch does, whatever is decided on it', async () => {
    const { store } = harness;
    await claim(one, 0);
    const chunkId = await harness.insertChunk({ shard, count: 4, awaitsClosing: true });
    expect(await store.loadChunkKeys({ ids: [chunkId] })).toMatchObject([{ chunkId, awaitsClosing: true }]);
    const remaining = bitmapOf(4, [1]);
    const told = { chunkId, remaining, dueInMs: 0, putOffBy: null };
    const key = { accountId: 1, routeId: 1, priority: 1, count: 4, batch: null };
    for (const what of [{ waiting: [told] }, { renewed: [{ ...key, ...told }] }]) {
      await store.recordOutcomes(flushOf(what));
      const [row] = await read();
      expect([row!.dueInMs, [...row!.remaining!]]).toEqual([Number.POSITIVE_INFINITY, [...remaining]]);
    }
    const other = await harness.insertChunk({ shard });
    expect(await store.loadChunkKeys({ ids: [other] })).toMatchObject([{ awaitsClosing: false }]);
  });

  test('pending chunks are read by age, by page, by lane and by batch, and of the shards asked for', async () => {
    const { store, insertBatch } = harness;
    const old = await harness.insertChunk({ shard, ageMs: 30_000 });
    const recent = await harness.insertChunk({ shard: 12, ageMs: 1_000, routeId: 2 });
    await harness.insertChunk({ shard: 13 });
    const ids = async (rows: Promise<{ chunkId: string }[]>) => (await rows).map(({ chunkId }) => chunkId);
    expect(await ids(store.readRecentPending({ shards: [shard, 12], ageMs: 10_000, limit: 9 }))).toEqual([
      recent,
    ]);
    expect(await ids(store.readRecentPending({ shards: [shard, 12], ageMs: 40_000, limit: 9 }))).toEqual([
      old,
      recent,
    ]);
    expect(await ids(read())).toEqual([old, recent]);
    expect(await ids(read(undefined, 1))).toEqual([old]);
    expect(await ids(read({ chunkId: old, shard }))).toEqual([recent]);
    const lane = { accountId: 1, routeId: 2, priority: 1 };
    const after = { chunkId: '00000000-0000-0000-0000-000000000000', shard: -1 };
    expect(await ids(store.readPendingOfLane({ shards: [shard, 12], lane, after, limit: 9 }))).toEqual([
      recent,
    ]);
    const batch = await insertBatch(3);
    const mine = [
      await harness.insertChunk({ shard, batch, ageMs: 0 }),
      await harness.insertChunk({ shard: 12, batch, ageMs: -10 }),
    ];
    const theirs = await harness.insertChunk({ shard: 13, batch, ageMs: -20 });
    const ofBatch = { shards: [shard, 12], batch, after: undefined as string | undefined, limit: 9 };
    const pageOf = async (page: Partial<typeof ofBatch>) => {
      const { rows, next } = await store.readPendingOfBatch({ ...ofBatch, ...page });
      return [rows.map(({ chunkId }) => chunkId), next];
    };
    expect(await pageOf({})).toEqual([mine, undefined]);
    expect(await pageOf({ limit: 1 })).toEqual([[mine[0]], mine[0]]);
    expect(await pageOf({ after: mine[0]!, limit: 1 })).toEqual([[mine[1]], mine[1]]);
    expect(await pageOf({ after: mine[1]!, limit: 1 })).toEqual([[], theirs]);
    expect(await pageOf({ after: theirs })).toEqual([[], undefined]);
    expect(await pageOf({ batch: await insertBatch(1) })).toEqual([[], undefined]);
    const [chunk] = await store.loadChunks({ ids: [recent] });
    expect(chunk!.id).toBe(recent);
    expect(await store.loadChunkKeys({ ids: [recent] })).toMatchObject([
      { chunkId: recent, shard: 12, ...lane, count: 1 },
    ]);
  });

  test('a chunk is read with what the templates mean that its lines name, and those by their ids', async () => {
    const { store } = harness;
    const one = await harness.insertTemplate('One {{ a }}');
    const two = await harness.insertTemplate('Two');
    const chunk = await harness.insertChunk({ shard, templates: { one: one.id, constructor: two.id } });
    const plain = await harness.insertChunk({ shard });
    const rows = await store.loadChunks({ ids: [chunk, plain] });
    const pins = new Map(rows.map(({ id, templates }) => [id, templates]));
    expect(pins.get(chunk)).toEqual({ one: one.id, constructor: two.id });
    expect(pins.get(plain)).toBeNull();
    const versions = await store.loadTemplateVersions({ ids: [two.id, one.id, 2_000_000_000] });
    expect(versions.sort((a, b) => a.id - b.id)).toEqual([one, two]);
    expect(await store.loadTemplateVersions({ ids: [] })).toEqual([]);
  });

  test('chunks with ordering keys are read in the order of their places, and keep them while they are pending', async () => {
    const { store } = harness;
    await claim(one, 0);
    const first = await harness.insertChunk({ shard, keys: [7, -8, 7] });
    // Its id is older than that of the one before.
    const second = await harness.insertChunk({ shard, keys: [7], ageMs: 5_000 });
    await harness.insertChunk({ shard });
    await harness.insertChunk({ shard: 12, keys: [7] });
    const readOrdered = (after = 0, limit = 9) =>
      store.readOrderedPending({ shard, accountId: 1, after, limit });
    const rows = await readOrdered();
    expect(rows.map(({ chunkId }) => chunkId)).toEqual([first, second]);
    expect([...rows[0]!.ordering]).toEqual([...encodeOrdering([7, -8, 7])]);
    expect((await readOrdered(rows[0]!.ordered)).map(({ chunkId }) => chunkId)).toEqual([second]);
    expect(await readOrdered(0, 1)).toHaveLength(1);
    expect(await store.readOrderedPending({ shard, accountId: 2, after: 0, limit: 9 })).toEqual([]);
    const remaining = bitmapOf(3, [1]);
    const key = { accountId: 1, routeId: 1, priority: 1, count: 3, batch: null };
    await store.recordOutcomes(
      flushOf({ renewed: [{ ...key, chunkId: first, remaining, dueInMs: 0, putOffBy: null }] }),
    );
    expect(await readOrdered(0, 1)).toMatchObject([{ chunkId: first, ordered: rows[0]!.ordered, count: 3 }]);
    expect((await read()).map(({ ordered }) => ordered === null)).toContain(true);
    expect(await store.loadChunkKeys({ ids: [first] })).toMatchObject([{ ordered: true }]);
    await store.recordOutcomes(flushOf({ finished: [first] }));
    expect(await store.loadChunkKeys({ ids: [first] })).toMatchObject([{ ordered: false }]);
  });

  test.each(['commit', 'rollback'] as const)(
    'nobody takes a place on the shard before the one who took the last ends with a %s',
    async (as) => {
      const idsOf = async (of: number) => {
        const rows = await harness.store.readOrderedPending({ shard: of, accountId: 1, after: 0, limit: 9 });
        return rows.map(({ chunkId }) => chunkId);
      };
      const held = await harness.holdPlace(shard, [7, 8]);
      let stored = false;
      const storing = harness.insertChunk({ shard, keys: [7] }).then((id) => {
        stored = true;
        return id;
      });
      await harness.lockAwaited();
      expect(stored).toBe(false);
      expect(await idsOf(shard)).toEqual([]);
      const elsewhere = await harness.insertChunk({ shard: 12, keys: [7] });
      expect(await idsOf(12)).toEqual([elsewhere]);
      await held.end(as);
      const second = await storing;
      expect(await idsOf(shard)).toEqual(as === 'commit' ? [held.chunkId, second] : [second]);
    },
  );

  test('a batch is finished when all that was accepted has come to its end, and once', async () => {
    const { store } = harness;
    await claim(one, 0);
    const batch = await harness.insertBatch(4);
    const shards = Array.from({ length: 1_024 }, (_, each) => each);
    const chunkId = await harness.insertChunk({ shard, count: 4, batch });
    const page = { shards, after: '00000000-0000-0000-0000-000000000000', limit: 9 };
    expect(await store.listClosedBatches(page)).toEqual([batch]);
    expect(await store.listClosedBatches({ ...page, after: batch })).toEqual([]);
    expect(await store.readFinishedBatch(batch)).toBeUndefined();
    const progress = [{ batch, state: stateNumber.sent, delta: 4 }];
    await store.recordOutcomes(
      flushOf({ outcomes: [{ ...row, chunkId, batch, seq: '4294967296' }], progress }),
    );
    const finished = await store.readFinishedBatch(batch);
    expect(finished).toMatchObject({ id: batch, counts: { accepted: 4, sent: 4 } });
    await store.finishBatch(finished!);
    expect(await store.listClosedBatches(page)).toEqual([]);
    expect(await store.readFinishedBatch(batch)).toBeUndefined();
  });
});
