import { expect, test } from 'vitest';
import type { Clock } from '../../lib/clock.ts';
import type { OutcomeFlush } from '../../store/delivery/record-outcomes.ts';
import { Lane } from '../backlog/lane.ts';
import { ChunkWork } from '../chunks/chunk-work.ts';
import { Tenure } from '../ownership/tenure.ts';
import { OutcomeBuffer } from './outcome-buffer.ts';

function workOf(tenure: Tenure): ChunkWork {
  const id = '01932c07-a3b0-7005-8000-000000000000';
  const lane = new Lane({ accountId: 1, routeId: 1, priority: 1 }, 1);
  const chunk = { ...{ id, tenure, lane, batch: null, count: 3, place: 'loaded' as const }, fresh: true };
  const contents = {
    lines: ['{}', '{}', '{}'],
    test: false,
    defaults: undefined,
    folded: undefined,
    nowMs: 0,
  };
  return new ChunkWork(
    { ...chunk, remaining: null, dueAtMs: 0 },
    { ...contents, dueAtMs: () => 0, onInterrupted: 'hold' },
  );
}

test('a shard has one flush at a time, also when somebody waits for what was added as another ended', async () => {
  const timers: (() => void)[] = [];
  const fireTimers = () => {
    for (const run of timers.splice(0)) run();
  };
  const underWay: { flush: OutcomeFlush; answer: (recorded: boolean) => void }[] = [];
  const buffer = new OutcomeBuffer({
    store: {
      recordOutcomes: (flush) => new Promise((answer) => underWay.push({ flush, answer })),
    },
    clock: {
      monotonicMs: () => 0,
      after: (_, run) => {
        timers.push(run);
        return () => {
          timers.splice(timers.indexOf(run), 1);
        };
      },
    } as Clock,
    flushEveryMs: 40,
    flushesMax: 4,
    databaseNowMs: (ms) => ms,
    onRest: () => {},
    onSettled: () => {},
    onFenced: () => {},
    onRefused: () => {},
    onRoom: () => {},
    onError: () => {},
  });
  const tenure = new Tenure({ shard: 5, epoch: 7, sinceMs: 0 });
  const [first, second] = [workOf(tenure), workOf(tenure)];
  buffer.addUrgent(first, 1, () => {
    // What was marked cannot leave after all, while another slice has been marked in the meantime.
    buffer.add(first, 1);
  });
  fireTimers();
  expect(underWay).toHaveLength(1);
  buffer.addUrgent(second, 1, () => {});
  underWay.shift()!.answer(true);
  await Promise.resolve();
  await Promise.resolve();
  expect(underWay).toHaveLength(1);
  buffer.add(second, 1);
  fireTimers();
  expect(underWay).toHaveLength(1);
});
