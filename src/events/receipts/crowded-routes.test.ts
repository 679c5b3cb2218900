import { expect, test } from 'vitest';
import { partCrowded } from './crowded-routes.ts';

const due = (shard: number, routeId: number, receipts: number, waitedMs: number) => ({
  ...{ shard, routeId, receipts, waitedMs },
});

test('a route with more than 1,000 due on all shards together is crowded, and those alike on a shard are taken together', () => {
  const all = [
    due(3, 1, 600, 900),
    due(3, 2, 10, 800),
    due(5, 3, 1_000, 700),
    due(5, 1, 401, 600),
    due(3, 4, 1, 5),
    due(5, 6, 1_001, 1),
  ];
  expect(partCrowded(all)).toEqual({
    calm: [
      { shard: 3, routeIds: [2, 4], waitedMs: 800 },
      { shard: 5, routeIds: [3], waitedMs: 700 },
    ],
    crowded: [
      { shard: 3, routeIds: [1], waitedMs: 900 },
      { shard: 5, routeIds: [1, 6], waitedMs: 600 },
    ],
  });
  expect(partCrowded([])).toEqual({ calm: [], crowded: [] });
});
