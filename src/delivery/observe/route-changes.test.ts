import { expect, test } from 'vitest';
import { testRoute } from '../../../test/delivery/mill.ts';
import { RouteChanges } from './route-changes.ts';

test('a change of a route tells what is another, and of its options no value', () => {
  const changes = new RouteChanges([testRoute]);
  expect(changes.look([testRoute])).toEqual([]);
  const paused = { ...testRoute, paused: true, version: 2 };
  const name = testRoute.name;
  expect(changes.look([paused])).toEqual([{ route: name, changed: ['paused'], values: { paused: true } }]);
  const limited = { ...paused, ratePerSecond: 5, options: { url: 'https://secret.example' }, version: 3 };
  expect(changes.look([limited])).toEqual([
    { route: name, changed: ['ratePerSecond', 'options'], values: { ratePerSecond: 5 } },
  ]);
  const unlimited = { ...limited, version: 4, ratePerSecond: undefined } as unknown as typeof limited;
  expect(changes.look([unlimited])[0]!.values).toEqual({ ratePerSecond: null });
  const made = changes.look([unlimited, { ...testRoute, id: 2, name: 'new' }]);
  expect(made.map(({ route, changed }) => [route, ...changed])).toEqual([['new', 'made']]);
});
