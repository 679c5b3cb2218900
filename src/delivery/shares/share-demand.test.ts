import { expect, test } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import { priorityNumber } from '../../message/fields.ts';
import { breakerDefaults, type Route, retryDefaults } from '../../message/route.ts';
import { Lane } from '../backlog/lane.ts';
import type { PendingChunk } from '../backlog/pending-chunk.ts';
import { type RouteUse, ShareDemand } from './share-demand.ts';

const route: Route = {
  ...{ id: 1, name: 'r', connector: 'http', options: {}, concurrency: 2, retry: retryDefaults },
  ...{ breaker: breakerDefaults, onUncertain: 'resend', paused: false, version: 1, deleted: false },
  ...{ createdAt: new Date(0), updatedAt: new Date(0) },
  destinations: [
    { match: '+31', ratePerSecond: 16, concurrency: 2 },
    { match: '*', concurrency: 4 },
  ],
};

function demandOf(ratePerSecond: number) {
  return new ShareDemand({
    clock: systemClock,
    couldSend: () => true,
    roomFor: () => 0,
    equalPart: () => 0.5,
    control: {
      routeById: () => route,
      accountById: () => ({ weight: 1, limits: { ratePerSecond } }),
      webhookOf: () => undefined,
      signingKeyOf: () => undefined,
      catchUp: async () => true,
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
    routes: [[1, { messages: 0, requestsMax: 0, batchMax: 1, destinations: new Map() }]],
    ...{ accounts, lanes },
  });
  expect(Object.keys(demand)).toHaveLength(201);
  expect(demand['conn:1']).toBe(2);
  for (let id = 0; id < 100; id++) expect(demand[`account:${id}`]).toBe(64);
});

test('it says of a route that interactive messages wait for its connections', () => {
  const routes: [number, RouteUse][] = [
    [1, { messages: 0, requestsMax: 0, batchMax: 1, destinations: new Map() }],
  ];
  const demand = demandOf(64);
  const turn = (priority: number) =>
    demand.turn({ routes, accounts: [], lanes: [laneOf(1, { priority, ready: 1 })] });
  expect(turn(priorityNumber.bulk)).toEqual({ 'conn:1': 1 });
  expect(turn(priorityNumber.interactive)).toEqual({ 'conn:1': 1, 'urgent:conn:1': 1 });
});

test('of a destination it wants what was used within a second and what waits, in memory and displaced from it', () => {
  const demand = demandOf(64);
  const lane = laneOf(1, { priority: priorityNumber.interactive, ready: 0 });
  const unused = { messages: 0, requestsMax: 0, waits: 0, urgent: false };
  const turn = (destinations: RouteUse['destinations']) =>
    demand.turn({
      routes: [[1, { messages: 0, requestsMax: 0, batchMax: 10, destinations }]],
      ...{ accounts: [], lanes: [lane] },
    });
  lane.aside = 1;
  // One of the route's connections as well: without it the destination's is of no use.
  expect(turn(new Map([['+31', { ...unused, waits: 1, urgent: true }]]))).toEqual({
    ...{ 'conn:1': 0.125, 'urgent:conn:1': 1 },
    ...{ 'drate:1:+31': 1, 'dconn:1:+31': 0.125, 'urgent:dconn:1:+31': 1 },
  });
  lane.aside = 0;
  expect(turn(new Map([['*', { ...unused, requestsMax: 3 }]]))).toEqual({ 'dconn:1:*': 4 });
  for (let turns = 0; turns < 3; turns++) expect(turn(new Map())).toEqual({ 'dconn:1:*': 4 });
  expect(turn(new Map())).toEqual({});
  lane.displaced.push({ chunk: {} as PendingChunk, waiting: new Map([['+31', 40]]), bytes: 1 });
  expect(turn(new Map())).toMatchObject({ 'drate:1:+31': 16, 'dconn:1:+31': 2, 'urgent:dconn:1:+31': 1 });
});
