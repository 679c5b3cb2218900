import { expect, test } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import { RouteWindows } from './route-windows.ts';

test('after a change of its window, what reads find of a route is due for a while, unless they began before', () => {
  const clock = { ms: 0 };
  let to = '20:00';
  const routes = new RouteWindows({
    clock: { ...systemClock, monotonicMs: () => clock.ms },
    windowOf: (id) => (id === 1 ? { days: ['mon'], from: '09:00', to, timeZone: 'recipient' } : undefined),
  });
  expect([routes.isDueAnew(1, 0), routes.isDueAnew(2, 0)]).toEqual([false, false]);
  expect(routes.takeChanged()).toEqual([]);
  clock.ms = 100;
  to = '21:00';
  expect(routes.takeChanged()).toEqual([1]);
  expect(routes.takeChanged()).toEqual([]);
  expect([99, 100, 5_000, 3_600_000].map((beganAtMs) => routes.isDueAnew(1, beganAtMs))).toEqual([
    false,
    true,
    true,
    false,
  ]);
  expect(routes.isDueAnew(2, 100)).toBe(false);
});
