import fc from 'fast-check';
import { expect, test } from 'vitest';
import { breakerDefaults } from '../../message/route.ts';
import { Breaker, type BreakerChange } from './breaker.ts';

const policy = {
  ...breakerDefaults,
  requestsMin: 4,
  windowMs: 1_000,
  openMs: 100,
  openMaxMs: 1_000,
  probes: 2,
};

function breakerAt(nowMs = 0, random = () => 0): Breaker {
  return new Breaker({ policy, random, nowMs });
}

/** So many requests, one after the other, that end at once. */
function answer(breaker: Breaker, results: ('passed' | 'failed' | 'untold')[], nowMs: number): void {
  for (const result of results) breaker.end(breaker.begin(nowMs), result, nowMs);
}

const failures = Array.from({ length: 4 }, () => 'failed' as const);

test('it opens at the ratio of enough requests, and not of fewer', () => {
  const breaker = breakerAt();
  answer(breaker, ['failed', 'failed', 'failed'], 10);
  expect(breaker.state(10).kind).toBe('closed');
  answer(breaker, ['passed', 'passed', 'passed', 'passed'], 20);
  answer(breaker, ['failed'], 30);
  expect(breaker.state(30).kind).toBe('open');
});

test('what failed longer ago than the window is forgotten', () => {
  const breaker = breakerAt();
  answer(breaker, ['failed', 'failed', 'failed'], 10);
  answer(breaker, ['failed'], 1_200);
  expect(breaker.state(1_200).kind).toBe('closed');
});

test('open, it lets nothing out until its time is up, then as many probes as there are to be', () => {
  const breaker = breakerAt();
  answer(breaker, failures, 0);
  expect(breaker.room(99)).toBe(0);
  expect(breaker.room(100)).toBe(2);
  const probe = breaker.begin(100);
  expect(breaker.room(100)).toBe(1);
  breaker.begin(100);
  expect(breaker.room(100)).toBe(0);
  breaker.end(probe, 'untold', 101);
  expect(breaker.room(101)).toBe(1);
});

test('it closes when all probes passed, and what began before the outage does not open it again', () => {
  const breaker = breakerAt();
  const hanging = Array.from({ length: 10 }, () => breaker.begin(0));
  answer(breaker, failures, 0);
  answer(breaker, ['passed'], 100);
  expect(breaker.state(100).kind).toBe('half-open');
  answer(breaker, ['passed'], 110);
  expect(breaker.state(110).kind).toBe('closed');
  for (const began of hanging) breaker.end(began, 'failed', 120);
  expect(breaker.state(120).kind).toBe('closed');
});

test('while probes fail it stays open twice as long each time, up to the longest', () => {
  const breaker = breakerAt();
  answer(breaker, failures, 0);
  const openMs: number[] = [];
  for (let nowMs = 0; openMs.length < 6; ) {
    const state = breaker.state(nowMs);
    if (state.kind !== 'open') throw new Error(state.kind);
    openMs.push(state.untilMs - nowMs);
    nowMs = state.untilMs;
    answer(breaker, ['failed'], nowMs);
  }
  expect(openMs).toEqual([100, 200, 400, 800, 1_000, 1_000]);
});

test('each change of its state is told once, however often it is looked at', () => {
  const changes: string[] = [];
  const onChange = ({ from, to }: BreakerChange) => changes.push(`${from} ${to}`);
  const breaker = new Breaker({ policy, random: () => 0, nowMs: 0, onChange });
  answer(breaker, failures, 0);
  expect(changes.splice(0)).toEqual(['closed open']);
  for (const nowMs of [10, 99, 100, 101, 102]) breaker.state(nowMs);
  expect(changes.splice(0)).toEqual(['open half-open']);
  answer(breaker, ['failed'], 110);
  expect(changes.splice(0)).toEqual(['half-open open']);
  answer(breaker, ['passed', 'passed'], 400);
  expect(changes).toEqual(['open half-open', 'half-open closed']);
});

test('whatever happens, never more requests are out than probes while it is half open, and none while open', () => {
  const steps = fc.array(
    fc.record({ afterMs: fc.nat(200), begin: fc.nat(3), end: fc.constantFrom('passed', 'failed', 'untold') }),
    { minLength: 20, maxLength: 200 },
  );
  fc.assert(
    fc.property(steps, fc.double({ min: 0, max: 0.999, noNaN: true }), (script, draw) => {
      const breaker = breakerAt(0, () => draw);
      const out: ReturnType<Breaker['begin']>[] = [];
      let nowMs = 0;
      for (const { afterMs, begin, end } of script) {
        nowMs += afterMs;
        for (let n = 0; n < begin && breaker.room(nowMs) > 0; n++) out.push(breaker.begin(nowMs));
        const state = breaker.state(nowMs);
        if (state.kind === 'open') expect(breaker.room(nowMs)).toBe(0);
        if (state.kind === 'half-open') {
          expect(out.filter((began) => began === state).length).toBeLessThanOrEqual(policy.probes);
        }
        const ending = out.shift();
        if (ending) breaker.end(ending, end as 'passed', nowMs);
      }
    }),
  );
});
