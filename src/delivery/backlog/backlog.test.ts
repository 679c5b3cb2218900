import { expect, test } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import { stateNumber } from '../../message/state.ts';
import { ChunkWork } from '../chunks/chunk-work.ts';
import { Tenure } from '../ownership/tenure.ts';
import type { RetryGate } from '../pace/retry-budget.ts';
import { Backlog } from './backlog.ts';
import { Lane } from './lane.ts';

const all: RetryGate = { admitRetries: (wanted) => wanted, retriesAgainAtMs: () => 0 };

const noOrder = () => ({ note: () => {}, wait: () => {}, leave: () => {} });

test.each([
  [false, 1],
  [true, 0],
])('a retry that comes due in a chunk that is paused (%s) is looked at %i times', (paused, looks) => {
  let timers = 0;
  const clock = {
    ...systemClock,
    monotonicMs: () => 100,
    after: () => {
      timers++;
      return () => {};
    },
  };
  const tenures = new Map([[5, new Tenure({ shard: 5, epoch: 1, sinceMs: 0 })]]);
  const backlog = new Backlog({
    ...{ clock, tenures: () => tenures, weightOf: () => 1, retriesOf: () => all },
    ...{
      heldAs: () => undefined,
      onCanceled: () => {},
      onDue: () => {},
      onWoken: () => {},
      isDueAnew: () => false,
      onMissed: () => {},
      ordered: noOrder,
    },
  });
  const lane = new Lane({ accountId: 1, routeId: 1, priority: 1 }, 1);
  const work = new ChunkWork(
    {
      ...{ id: '01932c07-a3b0-7005-8000-000000000000', tenure: tenures.get(5)!, lane, batch: 'b', count: 2 },
      ...{ place: 'loaded', remaining: null, dueAtMs: 0, fresh: true },
    },
    {
      ...{ lines: ['{}', '{}'], test: false, defaults: undefined, folded: undefined, nowMs: 0 },
      ...{ dueAtMs: () => 0, onInterrupted: 'resend' },
    },
  );
  // One is on its way for long; the other one's retry is due while the batch is paused.
  const waiting = work.take();
  work.take();
  work.record(waiting, { state: stateNumber.retrying, attempt: 1, atMs: 50, dueAtMs: 90 });
  if (paused) work.park();
  backlog.wakeWork(work);
  expect(timers).toBe(looks);
});

test('what a read or a hint of before brings of a chunk that left memory since is not believed, and read again', () => {
  let nowMs = 0;
  let missed = 0;
  const tenure = new Tenure({ shard: 5, epoch: 1, sinceMs: 0 });
  const backlog = new Backlog({
    ...{ clock: { ...systemClock, monotonicMs: () => nowMs }, tenures: () => new Map([[5, tenure]]) },
    ...{ weightOf: () => 1, retriesOf: () => all, heldAs: () => undefined, onCanceled: () => {} },
    ...{
      onDue: () => {},
      onWoken: () => {},
      onMissed: () => missed++,
      isDueAnew: () => false,
      ordered: noOrder,
    },
  });
  const key = {
    chunkId: '01932c07-a3b0-7005-8000-000000000000',
    shard: 5,
    accountId: 1,
    routeId: 1,
    priority: 1,
  };
  const row = { ...key, batch: 'b', count: 2, remaining: null, dueInMs: 0, ordered: null, putOffBy: null };
  const read = () => {
    nowMs += 10;
    return backlog.beginRead();
  };
  backlog.takeRow(row, read());
  const before = read();
  nowMs += 10;
  backlog.forget(tenure.chunks.get(key.chunkId)!);
  backlog.takeRow({ ...row, remaining: new Uint8Array([1]) }, before);
  backlog.takeHint({ ...key, batch: 'b', count: 2, beganAtMs: 1 });
  expect(tenure.chunks.size).toBe(0);
  expect(missed).toBe(1);
  backlog.takeRow(row, read());
  expect(tenure.chunks.size).toBe(1);
});
