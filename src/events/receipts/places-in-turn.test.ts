import { expect, test } from 'vitest';
import { placesInTurn } from './places-in-turn.ts';

const place = (shard: number, routeId: number, receipts: number, waitedMs: number) => ({
  ...{ shard, routeId, receipts, waitedMs },
});

test('a route that has many on all shards together is kept apart, and the others of a shard are taken together', () => {
  const places = [
    place(3, 1, 600, 900),
    place(3, 2, 10, 800),
    place(5, 3, 1_000, 700),
    place(5, 1, 500, 600),
    place(3, 4, 1, 5),
  ];
  expect(placesInTurn(places)).toEqual({
    few: [
      { shard: 3, routeIds: [2, 4], waitedMs: 800 },
      { shard: 5, routeIds: [3], waitedMs: 700 },
    ],
    many: [
      { shard: 3, routeIds: [1], waitedMs: 900 },
      { shard: 5, routeIds: [1], waitedMs: 600 },
    ],
  });
  expect(placesInTurn([])).toEqual({ few: [], many: [] });
});
