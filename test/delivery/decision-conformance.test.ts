import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bitmapOf } from '../../src/message/bitmap.ts';
import { stateNumber } from '../../src/message/state.ts';
import { heldDigest } from '../../src/store/delivery/read-held-batches.ts';
import type { OutcomeFlush, OutcomeInsert } from '../../src/store/delivery/record-outcomes.ts';
import { modelHarness, postgresHarness, type StoreHarness } from './store-harness.ts';

const worker = '11111111-1111-4111-8111-111111111111';
const [shard, other] = [9, 12];
const lowest = '00000000-0000-0000-0000-000000000000';
const allShards = Array.from({ length: 1_024 }, (_, each) => each);

/** What operators decide and who is leaving, of the statements on PostgreSQL and of the model alike. */
describe.each([
  ['PostgreSQL', postgresHarness],
  ['the model', modelHarness],
])('decisions in the store on %s', (_, open) => {
  let harness: StoreHarness;
  let seq = 4_294_967_296;

  beforeEach(async () => {
    harness = await open();
    await harness.store.claimShards({ workerId: worker, free: [{ shard, epoch: 0 }], lockMs: 10_000 });
  });

  afterEach(async () => {
    await harness.close();
  });

  function flushOf(some: Partial<OutcomeFlush>): OutcomeFlush {
    const none = {
      outcomes: [],
      progress: [],
      finished: [],
      waiting: [],
      renewed: [],
      answered: [],
      erased: [],
    };
    return { shard, epoch: 1, ...none, ...some };
  }

  function outcomeOf(chunkId: string, batch: string | null, some: Partial<OutcomeInsert>): OutcomeInsert {
    return {
      ...{ chunkId, batch, seq: `${seq++}`, state: stateNumber.failed, attempt: 1, count: 2, offsets: null },
      ...{ errorCode: null, details: null, accountId: 1, providerRefs: null, agoMs: 0, dueInMs: null },
      ...some,
    };
  }

  /** A batch of one chunk of two messages that failed. */
  async function failedBatch(): Promise<{ batch: string; chunkId: string }> {
    const batch = await harness.insertBatch(2);
    const chunkId = await harness.insertChunk({ shard, count: 2, batch });
    await harness.store.recordOutcomes(
      flushOf({
        outcomes: [outcomeOf(chunkId, batch, {})],
        progress: [{ batch, state: stateNumber.failed, delta: 2 }],
        finished: [chunkId],
      }),
    );
    return { batch, chunkId };
  }

  const inbox = async (shards: number[]) => {
    const read = { shards, limit: 10 };
    const ofMessages = await harness.store.readInbox({ ...read, of: 'messages' });
    return [...ofMessages, ...(await harness.store.readInbox({ ...read, of: 'chunks' }))];
  };

  test('a worker that is leaving is named until it is gone', async () => {
    const { store } = harness;
    await store.registerWorker({ id: worker, host: 'here', pid: 1 });
    expect((await store.readOwners()).leaving.size).toBe(0);
    await store.leaveWorker(worker);
    expect([...(await store.readOwners()).leaving]).toEqual([worker]);
    expect(await store.beatWorker(worker)).toBeGreaterThan(0);
    await store.removeWorker(worker);
    await store.leaveWorker(worker);
    expect((await store.readOwners()).leaving.size).toBe(0);
  });

  test('a request is read by the owner of its shard, oldest first, until its answer is recorded', async () => {
    const { store, decisions } = harness;
    const chunkId = await harness.insertChunk({ shard, count: 9 });
    const elsewhere = await harness.insertChunk({ shard: other });
    const cancel = { batch: null, kind: 'cancel', filter: {} } as const;
    const ids: (string | undefined)[] = [];
    for (const messageId of [chunkId, chunkId.replace(/.$/, '8')]) {
      ids.push(await decisions.requestOfMessage({ ...cancel, messageId, count: 9 }));
    }
    await decisions.requestOfMessage({ ...cancel, messageId: elsewhere, count: 1 });
    const rows = await inbox([shard]);
    expect(rows.map(({ id }) => id)).toEqual(ids);
    expect(rows[0]).toMatchObject({ shard, chunkId, kind: 'cancel', filter: {} });
    expect([...rows[0]!.offsets!]).toEqual([...bitmapOf(9, [0])]);
    expect([...rows[1]!.offsets!]).toEqual([...bitmapOf(9, [8])]);
    expect(await inbox([shard, other])).toHaveLength(3);
    const answer = flushOf({ answered: [ids[0]!] });
    expect(await store.recordOutcomes({ ...answer, epoch: 2 })).toBe(false);
    expect(await inbox([shard])).toHaveLength(2);
    expect(await store.recordOutcomes(answer)).toBe(true);
    expect((await inbox([shard])).map(({ id }) => id)).toEqual([ids[1]]);
  });

  test('requests are read page by page, all about a chunk of which a message is asked about in their order', async () => {
    const { store, decisions } = harness;
    const [whole, mixed] = [await failedBatch(), await failedBatch()];
    const single = await harness.insertChunk({ shard });
    const filter = { states: ['failed' as const] };
    for (const { batch } of [whole, mixed]) {
      await decisions.requestOfBatch({ batch, kind: 'replay', states: ['failed'], filter });
    }
    const cancel = { batch: null, kind: 'cancel', filter: {} } as const;
    await decisions.requestOfMessage({ ...cancel, messageId: single, count: 1 });
    await decisions.requestOfMessage({ ...cancel, messageId: mixed.chunkId, count: 2 });
    const read = { shards: [shard], of: 'messages' as const, limit: 2 };
    const first = await store.readInbox(read);
    const second = await store.readInbox({ ...read, after: first[1] });
    expect([...first, ...second]).toMatchObject([
      { chunkId: mixed.chunkId, kind: 'replay' },
      { chunkId: single, kind: 'cancel' },
      { chunkId: mixed.chunkId, kind: 'cancel' },
    ]);
    expect(await store.readInbox({ ...read, after: second[0] })).toEqual([]);
    expect(await store.readInbox({ ...read, of: 'chunks' })).toMatchObject([{ chunkId: whole.chunkId }]);
  });

  test('a message is asked to be canceled once while that is open, and again after a replay', async () => {
    const { store, decisions } = harness;
    const { batch, chunkId } = await failedBatch();
    const neighbour = chunkId.replace(/.$/, '1');
    const cancel = (messageId: string) =>
      decisions.requestOfMessage({ messageId, batch: null, count: 2, kind: 'cancel', filter: {} });
    const first = await cancel(chunkId);
    expect(await cancel(chunkId)).toBe(first);
    expect(await cancel(neighbour)).not.toBe(first);
    expect(await inbox([shard])).toHaveLength(2);
    await decisions.requestOfBatch({ batch, kind: 'replay', states: ['failed'], filter: {} });
    const second = await cancel(chunkId);
    expect(second).not.toBe(first);
    const ids = (await inbox([shard])).map(({ id }) => id);
    expect(ids.at(-1)).toBe(second);
    await store.recordOutcomes(flushOf({ answered: ids }));
    expect(await cancel(chunkId)).not.toBe(second);
  });

  test('a batch is asked for by those of its chunks in which some message once was so', async () => {
    const { decisions } = harness;
    const { batch, chunkId } = await failedBatch();
    await harness.insertChunk({ shard, count: 2, batch });
    const filter = { states: ['failed' as const] };
    expect(await decisions.requestOfBatch({ batch, kind: 'replay', states: ['expired'], filter })).toBe(true);
    expect(await inbox(allShards)).toEqual([]);
    expect(await decisions.requestOfBatch({ batch, kind: 'replay', states: ['failed'], filter })).toBe(true);
    const rows = await inbox(allShards);
    expect(rows).toMatchObject([{ shard, chunkId, kind: 'replay', offsets: null, filter }]);
  });

  test('a batch is held as it was last decided, and one that is canceled stays so', async () => {
    const { store, decisions } = harness;
    const batch = await harness.insertBatch(2);
    expect(await store.readHeldBatches()).toEqual([]);
    await decisions.resumeBatch(batch);
    await decisions.pauseBatch(batch);
    await decisions.pauseBatch(batch);
    expect(await store.readHeldBatches()).toEqual([{ id: batch, canceled: false }]);
    await decisions.resumeBatch(batch);
    expect(await store.readHeldBatches()).toEqual([]);
    await decisions.pauseBatch(batch);
    await decisions.cancelBatch(batch);
    expect(await store.readHeldBatches()).toEqual([{ id: batch, canceled: true }]);
    await decisions.resumeBatch(batch);
    await decisions.pauseBatch(batch);
    expect(await store.readHeldBatches()).toEqual([{ id: batch, canceled: true }]);
    const replay = { batch, kind: 'replay', filter: {} } as const;
    expect(await decisions.requestOfBatch({ ...replay, states: ['failed'] })).toBe(false);
  });

  test('the digest of held batches is that of those that are read, and another one whenever they are others', async () => {
    const { store, decisions } = harness;
    const [one, other] = [await harness.insertBatch(2), await harness.insertBatch(2)];
    const digests: string[] = [];
    const look = async () => {
      const digest = await store.readHeldDigest();
      expect(digest).toBe(heldDigest(await store.readHeldBatches()));
      digests.push(digest);
    };
    await look();
    for (const hold of [decisions.pauseBatch, decisions.cancelBatch]) {
      for (const batch of [one, other]) {
        await hold(batch);
        await look();
      }
    }
    expect(new Set(digests).size).toBe(5);
  });

  test('a batch is not done while something is asked of it, nor by what was counted before', async () => {
    const { store, decisions } = harness;
    const { batch, chunkId } = await failedBatch();
    const counted = await store.readFinishedBatch(batch);
    expect(counted).toMatchObject({ counts: { accepted: 2, failed: 2 } });
    const request = { messageId: chunkId, batch, count: 2, filter: { states: ['failed' as const] } };
    const id = await decisions.requestOfMessage({ ...request, kind: 'replay' });
    await store.finishBatch(counted!);
    expect(await store.listClosedBatches({ shards: allShards, after: lowest, limit: 9 })).toEqual([batch]);
    expect(await store.readFinishedBatch(batch)).toBeUndefined();
    await store.recordOutcomes(flushOf({ answered: [id!] }));
    await store.finishBatch((await store.readFinishedBatch(batch))!);
    expect(await store.listClosedBatches({ shards: allShards, after: lowest, limit: 9 })).toEqual([]);
    await decisions.requestOfBatch({
      batch,
      kind: 'resolve',
      states: ['uncertain'],
      filter: { state: 'sent' },
    });
    expect(await store.listClosedBatches({ shards: allShards, after: lowest, limit: 9 })).toEqual([batch]);
  });

  test('a canceled batch can be replayed when it is done, and is not canceled any more', async () => {
    const { store, decisions } = harness;
    const { batch, chunkId } = await failedBatch();
    await decisions.cancelBatch(batch);
    const request = { messageId: chunkId, batch, count: 2, kind: 'replay', filter: {} } as const;
    expect(await decisions.requestOfMessage(request)).toBeUndefined();
    expect(await inbox(allShards)).toEqual([]);
    await store.finishBatch((await store.readFinishedBatch(batch))!);
    expect(await store.readHeldBatches()).toEqual([]);
    expect(await decisions.requestOfMessage(request)).toBeDefined();
    expect(await store.readHeldBatches()).toEqual([]);
    expect(await inbox(allShards)).toHaveLength(1);
  });

  test('batches that were let go lately are named', async () => {
    const { store } = harness;
    const batch = await harness.insertBatch(2);
    expect(await store.readReleasedBatches(60_000)).toEqual([]);
    await harness.releaseBatch(batch);
    expect(await store.readReleasedBatches(60_000)).toEqual([batch]);
    expect(await store.readReleasedBatches(0)).toEqual([]);
  });
});
