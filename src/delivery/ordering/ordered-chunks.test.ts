import { expect, test, vi } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import { encodeOrdering } from '../../message/ordering.ts';
import type { OrderedRow } from '../../store/delivery/read-pending.ts';
import { Backlog } from '../backlog/backlog.ts';
import { Tenure } from '../ownership/tenure.ts';
import { OrderedChunks } from './ordered-chunks.ts';

const chunkMessages = 1_000;
const ordering = encodeOrdering(Array.from({ length: chunkMessages }, (_, n) => n));

/** Chunks without end that wait for their release, on each shard. */
function endless(shards: number) {
  const tenures = new Map<number, Tenure>();
  const settings = {
    clock: systemClock,
    tenures: () => tenures,
    heldAs: () => undefined,
    onCanceled: () => {},
    onMissed: () => {},
  };
  const backlog = new Backlog({
    ...settings,
    ...{ weightOf: () => 1, onDue: () => {}, onWoken: () => {}, isDueAnew: () => false },
    ordered: () => ordered,
    retriesOf: () => ({ admitRetries: (wanted) => wanted, retriesAgainAtMs: () => 0 }),
  });
  const ordered: OrderedChunks = new OrderedChunks({
    ...{ ...settings, backlog, onReady: () => {}, onIdle: () => {} },
    onError: (error) => {
      throw error;
    },
    store: {
      readOrderedPending: async ({ shard, after, limit }) =>
        Array.from({ length: limit }, (_, n) => rowOf(shard, after + 1 + n)),
    },
  });
  for (let shard = 0; shard < shards; shard++) {
    const tenure = new Tenure({ shard, epoch: 1, sinceMs: 0 });
    tenures.set(shard, tenure);
    ordered.note(tenure, { accountId: 1 });
  }
  const weights = () => [...tenures.values()].map(({ sequences }) => sequences.get(1)!.weight);
  return { weights, lanes: () => [...backlog.lanes] };
}

function rowOf(shard: number, place: number): OrderedRow {
  return {
    ...{ chunkId: `${shard}-${place}`, shard, accountId: 1, routeId: 1, priority: 1, count: chunkMessages },
    ...{
      batch: null,
      remaining: null,
      dueInMs: Number.POSITIVE_INFINITY,
      ordered: place,
      ordering,
      putOffBy: null,
    },
  };
}

test('what is in memory of a worker of messages that wait for others is bounded, and each account has room', async () => {
  const { weights, lanes } = endless(10);
  await vi.waitFor(() => expect(Math.min(...weights())).toBeGreaterThanOrEqual(20_000), 20_000);
  const total = weights().reduce((sum, weight) => sum + weight, 0);
  expect(total).toBeLessThan(1_000_000 + 10 * 22_000);
  expect(Math.max(...weights())).toBeLessThan(202_000);
  // They take no room from messages without keys.
  expect(lanes().map((lane) => lane.unordered)).toEqual([0]);
});
