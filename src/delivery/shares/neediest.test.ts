import { expect, test } from 'vitest';
import { type Need, neediest } from './neediest.ts';

function connection(n: number, total: number): Need {
  return { key: `dconn:1:+${n}`, limit: { total, whole: true, within: 'conn:1' }, part: 1 / total };
}

test('of many connections to destinations those are named first of which an equal part is none', () => {
  const plenty = Array.from({ length: 600 }, (_, n) => connection(1_000 + n, 3));
  const scarce = Array.from({ length: 100 }, (_, n) => connection(2_000 + n, 2));
  const ofRoutes = Array.from({ length: 600 }, (_, n) => `conn:${n}`);
  const needs = [
    ...plenty,
    ...scarce,
    ...ofRoutes.map((key) => ({ key, limit: { total: 2, whole: true }, part: 0.1 })),
  ];
  const named = new Set(neediest(needs, 1 / 3));
  expect(named.size).toBe(600 + 500);
  for (const { key } of scarce) expect(named).toContain(key);
  for (const key of ofRoutes) expect(named).toContain(key);
});

test('of many that are scarce those are named that are needed most', () => {
  const needs = Array.from({ length: 600 }, (_, n) => ({
    ...connection(1_000 + n, 2),
    part: n < 100 ? 0.5 : 1,
  }));
  const named = neediest(needs, 1 / 3);
  expect(named).toHaveLength(500);
  for (const { key } of needs.slice(0, 100)) expect(named).not.toContain(key);
});
