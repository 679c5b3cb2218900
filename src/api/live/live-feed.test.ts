import { expect, test } from 'vitest';
import type { Clock } from '../../lib/clock.ts';
import { LiveFeed } from './live-feed.ts';
import type { LiveSnapshot } from './live-snapshot.ts';

/** Time that stands still until a test lets a turn pass. */
function steeredClock() {
  let nowMs = 0;
  let wake: (() => void) | undefined;
  const clock: Clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: () => new Promise((resolve) => (wake = resolve)),
    after: () => () => {},
    soon: () => {},
  };
  async function settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  }
  return {
    clock,
    settle,
    isAsleep: () => wake !== undefined,
    async pass(ms: number) {
      nowMs += ms;
      const woken = wake;
      wake = undefined;
      woken?.();
      await settle();
    },
  };
}

function feedOf(clock: Clock) {
  const made = { snapshots: 0, events: [] as string[], fails: false };
  const feed = new LiveFeed<string>({
    clock,
    async snapshot() {
      made.snapshots++;
      if (made.fails) throw new Error('away');
      return { at: String(made.snapshots) } as LiveSnapshot;
    },
    event(snapshot, account) {
      made.events.push(account);
      return `${account} ${snapshot.at}`;
    },
    trouble: () => 'trouble',
  });
  return { feed, made };
}

test('a turn takes one snapshot, and makes one event of it for each account, whatever the number of watchers', async () => {
  const { clock, settle, pass } = steeredClock();
  const { feed, made } = feedOf(clock);
  const told: string[] = [];
  for (let n = 0; n < 20; n++) feed.watch(n < 15 ? 'one' : 'other', (event) => told.push(event));
  await settle();
  expect([made.snapshots, made.events, told.length]).toEqual([1, ['one', 'other'], 20]);
  await pass(1_000);
  expect([made.snapshots, made.events.length, told.length]).toEqual([2, 4, 40]);
  expect(told.filter((event) => event === 'other 2')).toHaveLength(5);
});

test('nothing is read while nobody watches, and the next one to come wakes it', async () => {
  const { clock, settle, pass, isAsleep } = steeredClock();
  const { feed, made } = feedOf(clock);
  const leave = feed.watch('one', () => {});
  await settle();
  leave();
  await pass(1_000);
  expect([made.snapshots, isAsleep()]).toEqual([1, false]);
  const told: string[] = [];
  feed.watch('one', (event) => told.push(event));
  await settle();
  expect(told).toEqual(['one 2']);
});

test('who comes between two turns is told the last one at once; what cannot be read is told as trouble', async () => {
  const { clock, settle, pass } = steeredClock();
  const { feed, made } = feedOf(clock);
  const told: string[] = [];
  feed.watch('one', () => {});
  await settle();
  feed.watch('other', (event) => told.push(event));
  expect(told).toEqual(['other 1']);
  made.fails = true;
  await pass(1_000);
  expect(told).toEqual(['other 1', 'trouble']);
  made.fails = false;
  await pass(1_000);
  expect(told.at(-1)).toBe('other 3');
});
