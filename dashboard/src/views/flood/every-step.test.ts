import { expect, test } from 'vitest';
import type { StatisticsPoint } from '../../api/shapes.ts';
import { everyStep } from './every-step.ts';

const point = (at: string) => ({ at, sent: 5 }) as StatisticsPoint;
const range = { step: 'minute', since: '2026-11-29T10:00:00Z', until: '2026-11-29T10:10:00Z' } as const;

test('the whole range is shown, with zeros where nothing happened, up to what is known', () => {
  const points = [point('2026-11-29T10:01:00.000Z'), point('2026-11-29T10:03:00.000Z')];
  const filled = everyStep({ ...range, asOf: '2026-11-29T10:04:59Z', series: [{ points }] });
  expect(filled.map(({ at, sent }) => [at.slice(14, 16), sent])).toEqual([
    ['00', 0],
    ['01', 5],
    ['02', 0],
    ['03', 5],
    ['04', 0],
  ]);
});

test('what is known beyond the range, or not at all, adds nothing', () => {
  const all = everyStep({ ...range, asOf: '2026-11-29T12:00:00Z', series: [] });
  expect(all).toHaveLength(10);
  expect(everyStep({ ...range, asOf: null, series: [] })).toHaveLength(1);
});
