import { expect, test } from 'vitest';
import { systemClock } from '../lib/clock.ts';
import { priorityNumber } from '../message/fields.ts';
import { breakerDefaults, type Route, retryDefaults } from '../message/route.ts';
import { Lane } from './lane.ts';
import { ShareDemand } from './share-demand.ts';

const route: Route = {
  ...{ id: 1, name: 'r', connector: 'http', options: {}, concurrency: 2, retry: retryDefaults },
  ...{ breaker: breakerDefaults, onUncertain: 'resend', paused: false, version: 1, deleted: false },
  ...{ createdAt: new Date(0), updatedAt: new Date(0) },
};

function demandOf(ratePerSecond: number) {
  return new ShareDemand({
    clock: systemClock,
    couldSend: () => true,
    control: {
      routeById: () => route,
      accountById: () => ({ weight: 1, limits: { ratePerSecond } }),
      refresh: async () => {},
      onChange: () => () => {},
    },
  });
}

function laneOf(accountId: number, { priority, ready }: { priority: number; ready: number }): Lane {
  const lane = new Lane({ accountId, routeId: 1, priority }, 1);
  lane.ready = ready;
  return lane;
}

test('of a thousand accounts with limits the demand names those that are closest to theirs', () => {
  const lanes = Array.from({ length: 1_000 }, (_, id) =>
    laneOf(id, { priority: priorityNumber.bulk, ready: id < 100 ? 64 : 1 }),
  );
  const accounts = lanes.map((lane): [number, number] => [lane.key.accountId, 0]);
  const demand = demandOf(64).turn({
    routes: [[1, { messages: 0, requestsMax: 0, batchMax: 1 }]],
    ...{ accounts, lanes },
  });
  expect(Object.keys(demand)).toHaveLength(201);
  expect(demand['conn:1']).toBe(2);
  for (let id = 0; id < 100; id++) expect(demand[`account:${id}`]).toBe(64);
});

test('it says of a route that interactive messages wait for its connections', () => {
  const routes: [number, { messages: number; requestsMax: number; batchMax: number }][] = [
    [1, { messages: 0, requestsMax: 0, batchMax: 1 }],
  ];
  const demand = demandOf(64);
  const turn = (priority: number) =>
    demand.turn({ routes, accounts: [], lanes: [laneOf(1, { priority, ready: 1 })] });
  expect(turn(priorityNumber.bulk)).toEqual({ 'conn:1': 1 });
  expect(turn(priorityNumber.interactive)).toEqual({ 'conn:1': 1, 'urgent:conn:1': 1 });
});
