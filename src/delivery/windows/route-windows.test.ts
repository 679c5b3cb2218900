import { expect, test } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import { RouteWindows } from './route-windows.ts';

test('after a change of its window, what reads find of a route is due for a while, unless they began before', () => {
  const clock = { ms: 0 };
  let to = '20:00';
  const routes = new RouteWindows({
    clock: { ...systemClock, monotonicMs: () => clock.ms },
    databaseNowMs: (ms) => ms,
    routeById: (id) => ({
      ...{ version: 1, updatedAt: new Date(0) },
      ...(id === 1 && { sendWindow: { days: ['mon'], from: '09:00', to, timeZone: 'recipient' } }),
    }),
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

test('what is found of a route that was changed shortly before it was noted is due for a while; of a new one it is not', () => {
  const clock = { ms: 100_000 };
  const changes = new Map([
    [1, { version: 2, updatedAt: new Date(90_000) }],
    [2, { version: 2, updatedAt: new Date(30_000) }],
    [3, { version: 1, updatedAt: new Date(90_000) }],
  ]);
  const routes = new RouteWindows({
    clock: { ...systemClock, monotonicMs: () => clock.ms },
    databaseNowMs: (ms) => ms,
    routeById: (id) => changes.get(id),
  });
  const due = (beganAtMs: number) => [1, 2, 3].map((id) => routes.isDueAnew(id, beganAtMs));
  expect([89_999, 90_000, 100_000, 3_600_000].map(due)).toEqual([
    [false, false, false],
    [true, false, false],
    [true, false, false],
    [false, false, false],
  ]);
  expect(routes.takeChanged()).toEqual([]);
});
