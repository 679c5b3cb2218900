import { expect, test } from 'vitest';
import type { Clock } from '../../lib/clock.ts';
import { takeTurns } from './take-turns.ts';

/** Turns that take so long each, on a clock that moves by itself: the moments at which they began, in ms. */
async function beginnings(settings: {
  turnsMs: readonly number[];
  givesWay: (nowMs: number) => boolean;
  outcome?: (turn: number) => boolean;
}): Promise<{ began: number[]; errors: unknown[] }> {
  const { turnsMs, givesWay, outcome = () => true } = settings;
  const aborting = new AbortController();
  const began: number[] = [];
  const errors: unknown[] = [];
  let nowMs = 0;
  const clock: Clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    after: () => () => {},
    soon: () => {},
    async sleep(ms) {
      nowMs += ms;
    },
  };
  const runOnce = async () => {
    const turn = began.length;
    began.push(nowMs);
    nowMs += turnsMs[turn]!;
    if (began.length === turnsMs.length) aborting.abort();
    return outcome(turn);
  };
  await takeTurns(
    { runOnce, givesWay: () => givesWay(nowMs), clock, onError: (error) => errors.push(error) },
    aborting.signal,
  );
  return { began, errors };
}

test('a turn rests as long as it took, and nine times as long while others want the machine', async () => {
  const turnsMs = [100, 100, 100];
  const free = await beginnings({ turnsMs, givesWay: () => false });
  expect(free.began).toEqual([500, 700, 900]);
  const busy = await beginnings({ turnsMs, givesWay: () => true });
  expect(busy.began).toEqual([500, 1_500, 2_500]);
});

test('as soon as nobody wants the machine any more, the rest is over', async () => {
  const { began } = await beginnings({ turnsMs: [100, 100], givesWay: (nowMs) => nowMs < 850 });
  expect(began).toEqual([500, 900]);
});

test('a turn that waited long for the database is not waited for by the next for minutes', async () => {
  const { began } = await beginnings({ turnsMs: [60_000, 1], givesWay: () => true });
  expect(began).toEqual([500, 500 + 60_000 + 9 * 2_000]);
});

test('a turn that failed or had nothing to tell is followed by one after half a second, whoever wants the machine', async () => {
  const { began, errors } = await beginnings({
    turnsMs: [100, 100, 100],
    givesWay: () => true,
    outcome(turn) {
      if (turn === 0) throw new Error('away');
      return false;
    },
  });
  expect(began).toEqual([500, 1_100, 1_700]);
  expect(errors).toHaveLength(1);
});
