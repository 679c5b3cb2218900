import { expect, test } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import { makeChunkId } from '../../message/id.ts';
import { stateNumber } from '../../message/state.ts';
import type { InboxRow } from '../../store/delivery/read-inbox.ts';
import type { OutcomeFlush } from '../../store/delivery/record-outcomes.ts';
import { Backlog } from '../backlog/backlog.ts';
import { ChunkLoader } from '../chunks/chunk-loader.ts';
import { noDeliveries } from '../observe/delivery-counts.ts';
import { OutcomeBuffer } from '../outcomes/outcome-buffer.ts';
import { Tenure } from '../ownership/tenure.ts';
import { Decisions } from './decisions.ts';

const nobody = () => {
  throw new Error('nobody is to be asked');
};
const key = { shard: 0, accountId: 1, routeId: 1, priority: 1, batch: null, count: 2 };
const newId = (n: number) => makeChunkId({ unixMs: 1_000 + n, shard: 0, random: new Uint8Array(8) });

test('a chunk in memory is not loaded to be sent while those that are decided on with it are looked for', async () => {
  const [due, unknown] = [newId(1), newId(2)];
  const clock = { ...systemClock, monotonicMs: () => 10 };
  const tenures = new Map([[0, new Tenure({ shard: 0, epoch: 1, sinceMs: 0 })]]);
  const loaded: string[] = [];
  const flushes: OutcomeFlush[] = [];
  let canSend = false;
  const loader = new ChunkLoader({
    store: {
      ...{
        loadChunks: nobody,
        loadOutcomes: async () => [],
        loadTaggedChunks: async () => [],
        loadBatchDefaults: async () => [],
      },
      loadTemplateVersions: nobody,
    },
    ...{ clock, databaseNowMs: (ms: number) => ms, readyWanted: () => (canSend ? 100 : 0) },
    ...{ dropStored: () => {}, onInterrupted: () => 'hold' as const, isStuck: () => !canSend },
    isClosed: () => false,
    ...{ onLoaded: ({ chunk }) => loaded.push(chunk.id), onCrowded: nobody, onError: nobody },
    suppressions: { concerns: () => false, check: nobody },
  });
  const backlog = new Backlog({
    ...{ clock, tenures: () => tenures, weightOf: () => 1, onDue: (lane) => loader.want(lane) },
    ...{ heldAs: () => undefined, onCanceled: nobody, ordered: nobody, retriesOf: nobody },
    ...{ onMissed: nobody, onWoken: nobody, isDueAnew: nobody },
  });
  const outcomes = new OutcomeBuffer({
    store: { recordOutcomes: async (flush) => flushes.push(flush) > 0 },
    ...{ clock, flushEveryMs: 1, flushesMax: 1, onRest: () => {}, onSettled: () => {} },
    ...{ onFenced: nobody, onRefused: nobody, onRoom: () => {}, onError: nobody },
    databaseNowMs: (ms) => ms,
  });
  const rowOf = (chunkId: string): InboxRow => ({
    ...{ at: '0', id: chunkId, shard: 0, chunkId, kind: 'cancel', offsets: null, filter: {} },
  });
  const decisions = new Decisions({
    store: {
      readInbox: async ({ of }) => (of === 'chunks' ? [rowOf(due), rowOf(unknown)] : []),
      recordOutcomes: nobody,
      async loadChunkKeys({ ids }) {
        canSend = true;
        for (const lane of backlog.lanes) loader.want(lane);
        await new Promise((resolve) => setImmediate(resolve));
        return ids.map((chunkId) => ({ ...key, chunkId, ordered: false, awaitsClosing: false }));
      },
    },
    ...{ clock, backlog, loader, outcomes, counts: noDeliveries(), tenures: () => tenures },
    ...{ databaseNowMs: (ms: number) => ms, onReady: nobody, onReplayed: nobody, onForgotten: nobody },
  });
  const payload = Buffer.from('{"to":"+31612345678"}\n{"to":"+31612345679"}');
  backlog.takeHint({ ...key, chunkId: due, beganAtMs: 5, codec: 0, payload });
  await decisions.runOnce();
  await expect.poll(() => flushes.length).toBeGreaterThan(0);
  backlog.close();
  expect(loaded).toEqual([]);
  const recorded = flushes.flatMap((flush) => flush.outcomes.map(({ chunkId, state }) => [chunkId, state]));
  expect(recorded).toEqual([due, unknown].map((id) => [id, stateNumber.canceled]));
});
