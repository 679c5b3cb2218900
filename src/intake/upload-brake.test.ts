import { setImmediate } from 'node:timers/promises';
import { beforeEach, expect, test } from 'vitest';
import { systemClock } from '../lib/clock.ts';
import { UploadBrake } from './upload-brake.ts';

let nowMs = 0;
const clock = {
  ...systemClock,
  monotonicMs: () => nowMs,
  async sleep(ms: number, signal?: AbortSignal) {
    signal?.throwIfAborted();
    nowMs += ms;
  },
};
const { signal } = new AbortController();
let brake: UploadBrake;
let singlesWait = false;

beforeEach(() => {
  nowMs = 1_000_000;
  singlesWait = false;
  brake = new UploadBrake({ clock, singlesWait: () => singlesWait });
});

/** A commit of single messages each 10 ms. */
function commits(count: number, tookMs: number): void {
  for (let commit = 0; commit < count; commit++) {
    nowMs += 10;
    brake.noteCommit(tookMs);
  }
}

/** An upload beside commits that take so long: the slots that got their turn in each second. */
async function upload(seconds: number, tookMs: (slotsPerSecond: number) => number): Promise<number[]> {
  const slots: number[] = [];
  for (let second = 0; second < seconds; second++) {
    const endMs = nowMs + 1_000;
    let [count, commitAtMs] = [0, nowMs];
    while (nowMs < endMs) {
      await brake.turn(1, signal);
      count++;
      for (; commitAtMs <= nowMs; commitAtMs += 10) brake.noteCommit(tookMs(brake.slotsPerSecond!));
    }
    slots.push(count);
  }
  return slots;
}

test('without single messages an upload never waits', async () => {
  const startedMs = nowMs;
  for (let slot = 0; slot < 10_000; slot++) await brake.turn(1, signal);
  expect(nowMs).toBe(startedMs);
  expect(brake.slotsPerSecond).toBeUndefined();
});

test('an upload gives way as long as commits take longer than in a calm time, down to a pace that it keeps', async () => {
  commits(100, 8);
  const slots = await upload(5, () => 40);
  expect(slots.at(-1)).toBeGreaterThanOrEqual(99);
  expect(slots.at(-1)).toBeLessThanOrEqual(101);
});

test('an upload that troubles nobody goes faster and faster', async () => {
  commits(100, 8);
  const slots = await upload(4, () => 8);
  expect(slots[3]).toBeGreaterThan(4 * slots[0]!);
});

test('an upload settles at the pace that is bearable', async () => {
  commits(100, 8);
  const slots = await upload(20, (pace) => (pace > 200 ? 30 : 9));
  for (const count of slots.slice(10)) {
    expect(count).toBeGreaterThan(100);
    expect(count).toBeLessThan(230);
  }
});

test('single messages whose commit does not end keep the upload braked', async () => {
  commits(100, 8);
  const slots = await upload(2, () => 40);
  singlesWait = true;
  const startedMs = nowMs;
  for (let slot = 0; slot < 5 * slots.at(-1)!; slot++) await brake.turn(1, signal);
  expect(nowMs - startedMs).toBeGreaterThan(4_500);
});

test('on a machine whose commits are slow in calm times too, that is not held against the upload', async () => {
  commits(100, 50);
  const slots = await upload(4, () => 55);
  expect(slots[3]).toBeGreaterThan(4 * slots[0]!);
});

test('small uploads count as the part of a slot that they fill', async () => {
  commits(100, 8);
  for (let slot = 0; slot < 100; slot++) await brake.turn(0.01, signal);
  const startedMs = nowMs;
  await brake.turn(1, signal);
  expect(nowMs - startedMs).toBeLessThanOrEqual(10);
});

test('when the single messages end, the upload is let go within a second', async () => {
  commits(100, 8);
  await upload(2, () => 40);
  nowMs += 1_001;
  const startedMs = nowMs;
  for (let slot = 0; slot < 1_000; slot++) await brake.turn(1, signal);
  expect(nowMs).toBe(startedMs);
});

test('turns that are given up while they are waited for cost the others nothing', async () => {
  const timers: { atMs: number; run: () => void }[] = [];
  const sleep = (ms: number, given?: AbortSignal) =>
    new Promise<void>((run, reject) => {
      timers.push({ atMs: nowMs + ms, run });
      given?.addEventListener('abort', () => reject(given.reason));
    });
  const steered = new UploadBrake({ clock: { ...clock, sleep }, singlesWait: () => false });
  steered.noteCommit(8);
  await steered.turn(1, signal);
  const giving = Array.from({ length: 1_000 }, () => new AbortController());
  const givenUp = giving.map((stop) => steered.turn(1, stop.signal));
  const turn = steered.turn(1, signal);
  for (const stop of giving) stop.abort(new Error('given up'));
  for (const { status } of await Promise.allSettled(givenUp)) expect(status).toBe('rejected');
  nowMs += 20;
  for (const { atMs, run } of timers) if (atMs <= nowMs) run();
  expect(await Promise.race([turn.then(() => 'begun'), setImmediate('waits')])).toBe('begun');
});

test('a sender who gives up does not wait for the turn', async () => {
  commits(100, 8);
  await brake.turn(1, signal);
  await expect(brake.turn(1, AbortSignal.abort(new Error('given up')))).rejects.toThrow('given up');
});
