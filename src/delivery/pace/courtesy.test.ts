import { expect, test } from 'vitest';
import { Courtesy } from './courtesy.ts';

/** A thread whose work is what it sends: so many messages a second keep it busy all the time. */
class Thread {
  nowMs = 0;
  callbacks = 0;
  others = 0;
  readonly #capacity: number;
  readonly #courtesy: Courtesy;
  #sent = 0;
  #askedAtMs = 0;

  constructor(settings: { capacity: number }) {
    this.#capacity = settings.capacity;
    this.#courtesy = new Courtesy({ business: () => this.#business(), nowMs: 0 });
  }

  get givesWay(): boolean {
    return this.#courtesy.givesWay(this.nowMs);
  }

  /** Others send so many a second, and callbacks as many as they are let, if they have any, as far as the thread can. */
  run(forMs: number, { others, callbacks = true }: { others: number; callbacks?: boolean }): void {
    const endMs = this.nowMs + forMs;
    let [owed, left] = [0, 0];
    for (; this.nowMs < endMs; this.nowMs++) {
      left = Math.min(left + this.#capacity / 1_000, 10 + this.#capacity / 1_000);
      for (owed += others / 1_000; owed >= 1 && left >= 1; owed--, left--) {
        this.#courtesy.noteOthers(1, this.nowMs);
        this.others++;
        this.#sent++;
      }
      while (callbacks && left >= 1 && this.#courtesy.room(1, this.nowMs) >= 1) {
        this.#courtesy.take(1);
        this.callbacks++;
        this.#sent++;
        left--;
      }
    }
  }

  #business(): number {
    const possible = ((this.nowMs - this.#askedAtMs) / 1_000) * this.#capacity;
    const business = Math.min(1, this.#sent / possible);
    this.#askedAtMs = this.nowMs;
    this.#sent = 0;
    return business;
  }
}

test('beside a flood that keeps the thread busy, callbacks are a tenth of what leaves', () => {
  const thread = new Thread({ capacity: 4_000 });
  thread.run(1_000, { others: 3_600, callbacks: false });
  thread.others = 0;
  thread.run(10_000, { others: 3_600 });
  expect(thread.givesWay).toBe(true);
  expect(thread.callbacks / (thread.callbacks + thread.others)).toBeCloseTo(0.1, 2);
});

test('callbacks that were alone give way within half a second of a flood', () => {
  const thread = new Thread({ capacity: 4_000 });
  thread.run(5_000, { others: 0 });
  expect(thread.callbacks).toBeGreaterThan(19_000);
  thread.run(500, { others: 3_600 });
  thread.callbacks = 0;
  thread.others = 0;
  thread.run(1_000, { others: 3_600 });
  expect(thread.callbacks / thread.others).toBeLessThan(0.13);
});

test('with others and time to spare, callbacks take most of it, and leave a part of the thread idle', () => {
  const thread = new Thread({ capacity: 4_000 });
  thread.run(10_000, { others: 300 });
  thread.callbacks = 0;
  thread.run(10_000, { others: 300 });
  expect(thread.callbacks / 10).toBeGreaterThan(1_800);
  expect(thread.callbacks / 10).toBeLessThan(2_900);
});

test('a second after the last message of others, callbacks have no limit', () => {
  const thread = new Thread({ capacity: 4_000 });
  thread.run(5_000, { others: 4_000 });
  thread.run(1_300, { others: 0 });
  thread.callbacks = 0;
  thread.run(1_000, { others: 0 });
  expect(thread.givesWay).toBe(false);
  expect(thread.callbacks).toBeGreaterThan(3_900);
});

test('on a thread that is calm, callbacks have no limit from the beginning', () => {
  const courtesy = new Courtesy({ business: () => 0.2, nowMs: 0 });
  for (let nowMs = 0; nowMs < 5_000; nowMs += 10) {
    courtesy.noteOthers(1, nowMs);
    expect(courtesy.room(1, nowMs)).toBe(Number.POSITIVE_INFINITY);
  }
});

test('however busy the thread, and however little others send, callbacks never starve: nor do requests of many', () => {
  const courtesy = new Courtesy({ business: () => 1, nowMs: 0 });
  let left = 0;
  for (let nowMs = 0; nowMs < 10_000; nowMs += 10) {
    if (nowMs % 500 === 0) courtesy.noteOthers(1, nowMs);
    const room = Math.min(100, courtesy.room(100, nowMs));
    expect(courtesy.waitMs(100, nowMs) > 0).toBe(room === 0);
    courtesy.take(room);
    left += nowMs < 2_000 ? 0 : room;
  }
  expect(left / 8).toBeGreaterThan(90);
  expect(left / 8).toBeLessThan(110);
});

test('what did not leave after all takes nothing from what may', () => {
  const courtesy = new Courtesy({ business: () => 1, nowMs: 0 });
  courtesy.noteOthers(1, 100);
  courtesy.room(1, 100);
  courtesy.noteOthers(1, 300);
  const room = courtesy.room(1, 300);
  expect(room).toBeGreaterThan(0);
  courtesy.take(room);
  expect(courtesy.room(1, 300)).toBe(0);
  courtesy.giveBack(room);
  expect(courtesy.room(1, 300)).toBe(room);
});
