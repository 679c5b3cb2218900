import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DeficitRoundRobin, type Turn } from './deficit-round-robin.ts';

interface FakeLane extends Turn {
  name: number;
  backlog: number;
  served: number;
}

const arbitraryLanes = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 12 });

function lanesOf(weights: number[], backlog: number): FakeLane[] {
  return weights.map((weight, name) => ({ name, weight, deficit: 0, active: false, backlog, served: 0 }));
}

function ringOf(lanes: FakeLane[]): DeficitRoundRobin<FakeLane> {
  const ring = new DeficitRoundRobin<FakeLane>((lane) => lane.backlog > 0);
  for (const lane of lanes) ring.add(lane);
  return ring;
}

function serve(ring: DeficitRoundRobin<FakeLane>, quantum: number, slice: number): FakeLane | undefined {
  const lane = ring.next(quantum);
  if (lane === undefined) return undefined;
  const taken = Math.min(slice, lane.backlog);
  lane.backlog -= taken;
  lane.served += taken;
  ring.charge(lane, taken);
  return lane;
}

test('lanes with work share in proportion to their weights, to within a round', () => {
  fc.assert(
    fc.property(arbitraryLanes, fc.integer({ min: 1, max: 500 }), (weights, slice) => {
      const lanes = lanesOf(weights, 1_000_000_000);
      const ring = ringOf(lanes);
      const rounds = 10;
      const total = weights.reduce((sum, weight) => sum + weight, 0) * slice * rounds;
      for (let sent = 0; sent < total; sent += slice) serve(ring, slice, slice);
      for (const lane of lanes) {
        const fair = lane.weight * slice * rounds;
        expect(Math.abs(lane.served - fair)).toBeLessThanOrEqual((lane.weight + 1) * slice);
      }
    }),
  );
});

test('nobody is passed over: everything offered is served, whatever the sizes', () => {
  const backlogs = fc.array(fc.record({ weight: fc.integer({ min: 1, max: 9 }), backlog: fc.nat(5_000) }), {
    minLength: 1,
    maxLength: 20,
  });
  fc.assert(
    fc.property(backlogs, fc.integer({ min: 1, max: 600 }), (wanted, slice) => {
      const lanes = wanted.map((lane, name) => ({ ...lane, name, deficit: 0, active: false, served: 0 }));
      const ring = ringOf(lanes);
      while (serve(ring, slice, slice)) {}
      expect(lanes.map(({ served }) => served)).toEqual(wanted.map(({ backlog }) => backlog));
      expect(ring.length).toBe(0);
    }),
  );
});

test('a lane that comes late waits for one turn of each other at most', () => {
  const lanes = lanesOf([1, 1, 1], 1_000_000);
  const ring = ringOf(lanes);
  for (let n = 0; n < 100; n++) serve(ring, 10, 10);
  const late: FakeLane = { name: 99, weight: 1, deficit: 0, active: false, backlog: 5, served: 0 };
  ring.add(late);
  const order = [0, 1, 2, 3].map(() => serve(ring, 10, 10)?.name);
  expect(order).toContain(99);
});

test('being idle saves nothing up', () => {
  const [idle, busy] = lanesOf([1, 1], 0) as [FakeLane, FakeLane];
  busy.backlog = 10_000;
  const ring = ringOf([idle, busy]);
  for (let n = 0; n < 100; n++) serve(ring, 10, 10);
  idle.backlog = 10_000;
  ring.add(idle);
  busy.served = 0;
  for (let n = 0; n < 100; n++) serve(ring, 10, 10);
  expect(Math.abs(idle.served - busy.served)).toBeLessThanOrEqual(20);
});
