import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bitmapOf } from '../../src/message/bitmap.ts';
import { stateNumber } from '../../src/message/state.ts';
import type { OutcomeFlush } from '../../src/store/delivery/record-outcomes.ts';
import { modelHarness, postgresHarness, type StoreHarness } from './store-harness.ts';

const worker = '11111111-1111-4111-8111-111111111111';
const [shard, other] = [9, 12];
const lowest = '00000000-0000-0000-0000-000000000000';
const start = { id: lowest, shard: -1 };

/** What owners read and record of receipts, of the statements on PostgreSQL and of the model alike. */
describe.each([
  ['PostgreSQL', postgresHarness],
  ['the model', modelHarness],
])('receipts in the store on %s', (_, open) => {
  let harness: StoreHarness;

  beforeEach(async () => {
    harness = await open();
    await harness.store.claimShards({ workerId: worker, free: [{ shard, epoch: 0 }], lockMs: 10_000 });
  });

  afterEach(() => harness.close());

  function flushOf(some: Partial<OutcomeFlush>): OutcomeFlush {
    const none = { outcomes: [], progress: [], finished: [], waiting: [], renewed: [], answered: [] };
    return { shard, epoch: 1, ...none, ...some };
  }

  test('they are read by the owner of their shard, page by page, until what came of them is recorded', async () => {
    const { store } = harness;
    const chunkId = await harness.insertChunk({ shard, count: 9 });
    const elsewhere = await harness.insertChunk({ shard: other });
    const first = await harness.insertReceipt({ chunkId, offsets: [0, 8], state: 'delivered' });
    const second = await harness.insertReceipt({ chunkId, offsets: [3], state: 'failed' });
    await harness.insertReceipt({ chunkId: elsewhere, offsets: [0], state: 'delivered' });
    const read = { shards: [shard], after: start, limit: 10 };
    const rows = await store.readReceipts(read);
    expect(rows.map(({ id }) => id).sort()).toEqual([first, second].sort());
    const delivered = rows.find(({ id }) => id === first)!;
    expect(delivered).toMatchObject({ shard, chunkId, state: stateNumber.delivered, renewal: 0 });
    expect(delivered).toMatchObject({ errorCode: null, details: null, atMs: 5_000, receivedAtMs: 6_000 });
    expect([...delivered.offsets]).toEqual([...bitmapOf(9, [0, 8])]);
    expect(rows.find(({ id }) => id === second)).toMatchObject({
      ...{ state: stateNumber.failed, errorCode: 'absent', details: ['No such number'] },
    });
    const [page] = await store.readReceipts({ ...read, limit: 1 });
    expect(await store.readReceipts({ ...read, after: page! })).toEqual(
      rows.filter(({ id }) => id !== page!.id),
    );
    expect(await store.readReceipts({ ...read, shards: [shard, other] })).toHaveLength(3);

    const answer = flushOf({ receipts: [first] });
    expect(await store.recordOutcomes({ ...answer, epoch: 2 })).toBe(false);
    expect(await store.readReceipts(read)).toHaveLength(2);
    expect(await store.recordOutcomes(answer)).toBe(true);
    expect((await store.readReceipts(read)).map(({ id }) => id)).toEqual([second]);
  });

  test('the counts of a batch that is done follow them, and those of one that is not wait until it is', async () => {
    const { store } = harness;
    const batch = await harness.insertBatch(2);
    await harness.insertChunk({ shard, count: 2, batch });
    const change = (from: number, to: number, delta = 1) =>
      flushOf({
        progress: [
          ...(from === 0 ? [] : [{ batch, state: from as 3, delta: -delta }]),
          { batch, state: to as 3, delta },
        ].sort((a, b) => a.state - b.state),
        ...(from !== 0 && { recounted: [batch] }),
      });
    const page = { shards: [shard], after: lowest, limit: 10 };
    await store.recordOutcomes(change(0, stateNumber.sent, 2));
    await store.recordOutcomes(change(stateNumber.sent, stateNumber.delivered));
    const early = await store.readRecountMarks(page);
    expect(early).toEqual([{ batch, shard, changes: 1 }]);
    await store.recountBatch({ batch, marks: early });
    expect(await harness.countsOf(batch)).toBeUndefined();
    await store.finishBatch((await store.readFinishedBatch(batch))!);
    expect(await harness.countsOf(batch)).toMatchObject({ sent: 1, delivered: 1 });

    const marks = await store.readRecountMarks(page);
    await store.recordOutcomes(change(stateNumber.sent, stateNumber.failed));
    await store.recountBatch({ batch, marks });
    expect(await harness.countsOf(batch)).toMatchObject({ sent: 0, delivered: 1, failed: 1 });
    // It was raised again since it was read: whoever reads it next counts once more.
    const raised = await store.readRecountMarks(page);
    expect(raised).toEqual([{ batch, shard, changes: 2 }]);
    await store.recountBatch({ batch, marks: raised });
    expect(await store.readRecountMarks(page)).toEqual([]);
    expect(await store.readRecountMarks({ ...page, shards: [other] })).toEqual([]);
  });
});
