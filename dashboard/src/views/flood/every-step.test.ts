import { expect, test } from 'vitest';
import type { StatisticsPoint } from '../../api/shapes.ts';
import { everyStep } from './every-step.ts';

const point = (at: string) => ({ at, sent: 5 }) as StatisticsPoint;

test('a step in which nothing happened is a zero in the chart, and none comes before the first or behind the last', () => {
  const filled = everyStep([point('2026-11-29T10:00:00.000Z'), point('2026-11-29T10:03:00.000Z')], 60_000);
  expect(filled.map(({ at, sent }) => [at.slice(11, 16), sent])).toEqual([
    ['10:00', 5],
    ['10:01', 0],
    ['10:02', 0],
    ['10:03', 5],
  ]);
  expect(everyStep([], 60_000)).toEqual([]);
});
