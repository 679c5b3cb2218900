import fc from 'fast-check';
import { expect, test } from 'vitest';
import { makeChunkId } from '../../message/id.ts';
import { stateNumber } from '../../message/state.ts';
import { Lane } from '../backlog/lane.ts';
import type { PendingChunk } from '../backlog/pending-chunk.ts';
import { TurnOrder } from '../backlog/turn-order.ts';
import { ChunkWork } from '../chunks/chunk-work.ts';
import { Tenure } from '../ownership/tenure.ts';
import { type Slice, takeSlice } from '../sending/slice.ts';
import type { DestinationShare } from './destination.ts';
import { DestinationGate } from './destination-gate.ts';

interface Sent {
  atMs: number;
  endMs: number;
  lane: Lane;
  to: string[];
}

/** One route without limits of its own, and the gate of its destinations, on a clock that the test moves. */
class Bench {
  nowMs = 0;
  readonly sent: Sent[] = [];
  readonly tenure = new Tenure({ shard: 0, epoch: 1, sinceMs: 0 });
  readonly #blocked = new Set<Lane>();
  readonly #batchMax: number;
  readonly #latencyMs: () => number;
  #flying: { slice: Slice; endMs: number }[] = [];
  #chunks = 0;
  readonly order = new TurnOrder<Lane>((lane) => {
    if (!this.gate.isReady(lane, lane.front() !== undefined)) return false;
    if (!this.#blocked.has(lane)) return true;
    this.gate.passOver(lane);
    return false;
  });
  readonly gate = new DestinationGate({
    opens: (lane) => !this.#blocked.has(lane),
    onRoom: (lane) => this.order.add(lane),
  });

  constructor(settings: { shares: DestinationShare[]; batchMax?: number; latencyMs?: () => number }) {
    this.#batchMax = settings.batchMax ?? 1;
    this.#latencyMs = settings.latencyMs ?? (() => 0);
    this.change(settings.shares);
  }

  change(shares: DestinationShare[]): void {
    this.gate.change({ shares, batchMax: this.#batchMax, nowMs: this.nowMs });
  }

  lane(accountId: number, priority = 1, weight = 1): Lane {
    return new Lane({ accountId, routeId: 1, priority }, weight);
  }

  load(lane: Lane, recipients: string[]): ChunkWork {
    const id = makeChunkId({ unixMs: 1_000 + this.#chunks++, shard: 0, random: new Uint8Array(8) });
    const count = recipients.length;
    const chunk: PendingChunk = {
      ...{ id, tenure: this.tenure, lane, batch: null, count, place: 'loaded' },
      ...{ remaining: null, dueAtMs: 0, fresh: true },
    };
    const work = new ChunkWork(chunk, {
      lines: recipients.map((to) => JSON.stringify({ to })),
      ...{
        test: false,
        defaults: undefined,
        folded: undefined,
        nowMs: 0,
        dueAtMs: () => 0,
        onInterrupted: 'resend',
      },
    });
    chunk.work = work;
    lane.offer(work, count);
    this.order.add(lane);
    return work;
  }

  block(lane: Lane): void {
    this.#blocked.add(lane);
  }

  free(lane: Lane): void {
    this.#blocked.delete(lane);
    this.order.add(lane);
    this.gate.laneFreed(lane, this.nowMs);
  }

  /** All that can leave by `untilMs` leaves. */
  run(untilMs: number, expiresAtMs = Number.POSITIVE_INFINITY): void {
    for (;;) {
      this.#pump(expiresAtMs);
      const nextMs = Math.min(this.gate.nextAtMs, ...this.#flying.map(({ endMs }) => endMs));
      if (nextMs > untilMs) break;
      // As a timer does, it comes a little late.
      this.nowMs = nextMs + 0.01;
      for (const { slice } of this.#flying.filter(({ endMs }) => endMs <= this.nowMs)) this.#end(slice);
      this.#flying = this.#flying.filter(({ endMs }) => endMs > this.nowMs);
    }
    this.nowMs = untilMs;
  }

  #pump(expiresAtMs: number): void {
    this.gate.wake(this.nowMs);
    for (let lane = this.#next(); lane; lane = this.#next()) {
      const slice = takeSlice(lane, {
        holds: {
          addressOf: (_, to) => to,
          expiresAtMs: () => expiresAtMs,
          expiresApart: (work, offset) => work.expiry.isOwn(offset),
          closes: () => false,
          holdOf: () => undefined,
        },
        isSuppressed: () => false,
        hasTime: () => true,
        messagesMax: this.#batchMax,
        nowMs: this.nowMs,
        destinations: this.gate,
        onPutOff: () => {},
        onOutcome: (work, offset, outcome) => void work.record(offset, outcome),
        onTest: () => {},
        onFault: (error) => {
          throw error;
        },
      });
      this.order.charge(lane, slice.messages.length);
      if (slice.messages.length === 0) continue;
      const endMs = this.nowMs + this.#latencyMs();
      this.sent.push({ atMs: this.nowMs, endMs, lane, to: slice.messages.map(({ fields }) => fields.to) });
      this.#flying.push({ slice, endMs });
    }
  }

  #next(): Lane | undefined {
    return this.order.next(this.#batchMax, true);
  }

  #end(slice: Slice): void {
    slice.works.forEach((work, index) => {
      work.record(slice.offsets[index]!, { state: stateNumber.sent, attempt: 1, atMs: this.nowMs });
    });
    this.gate.end(slice, this.nowMs);
  }
}

function limit(match: string, limits: { rate?: number; concurrency?: number }): DestinationShare {
  return { match, ratePerSecond: limits.rate, concurrency: limits.concurrency };
}

const destinations = ['+31', '+49', '@one.example', '@one.example', '@two.example', '@free.test'];
/** Every one another, so that their order can be told. */
const recipient = (index: number, n: number) =>
  index < 2 ? `${destinations[index]}6123${10_000 + n}` : `${n}${destinations[index]}`;
const places = ['+31', '+49', 'one.example', 'two.example', 'free.test'];
const placeOf = (to: string) => places.find((place) => to.startsWith(place) || to.endsWith(place))!;

const scenes = fc.record({
  batchMax: fc.constantFrom(1, 3, 20),
  lanes: fc.array(
    fc.record({
      priority: fc.nat(1),
      weight: fc.integer({ min: 1, max: 3 }),
      to: fc.array(fc.constantFrom(0, 0, 0, 1, 2, 3, 4, 5), { minLength: 1, maxLength: 120 }),
    }),
    { minLength: 1, maxLength: 4 },
  ),
  rate: fc.integer({ min: 1, max: 100 }),
  eachRate: fc.integer({ min: 1, max: 100 }),
  concurrency: fc.integer({ min: 1, max: 3 }),
  laterMs: fc.nat(200),
  latencies: fc.infiniteStream(fc.nat(300)),
});

test('no destination gets more than its rate or its requests at once, order is kept, and everything leaves once', () => {
  fc.assert(
    fc.property(scenes, ({ batchMax, lanes, rate, eachRate, concurrency, laterMs, latencies }) => {
      const shares = [
        limit('+31', { rate }),
        limit('one.example', { rate: 50, concurrency }),
        limit('*', { rate: eachRate }),
      ];
      const bench = new Bench({ shares, batchMax, latencyMs: () => latencies.next().value! });
      const loaded = lanes.map(({ priority, weight, to }, account) => {
        const sends = to.map(recipient);
        return { lane: bench.lane(account, priority, weight), sends, works: [] as ChunkWork[] };
      });
      // The second half comes while the first one waits.
      for (const half of [0, 1]) {
        for (const { lane, sends, works } of loaded) {
          const middle = Math.ceil(sends.length / 2);
          const part = half === 0 ? sends.slice(0, middle) : sends.slice(middle);
          if (part.length > 0) works.push(bench.load(lane, part));
        }
        bench.run(laterMs);
      }
      bench.run(600_000);
      for (const [place, allowed] of [
        ['+31', rate],
        ['one.example', 50],
        ['two.example', eachRate],
        ['free.test', eachRate],
      ] as const) {
        checkRate(bench.sent, { place, allowed });
      }
      expect(requestsAtOnce(bench.sent, 'one.example')).toBeLessThanOrEqual(concurrency);
      for (const { lane, sends, works } of loaded) {
        for (const place of places) {
          const left = bench.sent.filter((request) => request.lane === lane).flatMap(({ to }) => to);
          const at = (to: string) => placeOf(to) === place;
          expect(left.filter(at)).toEqual(sends.filter(at));
        }
        expect(works.map(({ unsettled, aside }) => unsettled + aside.count)).toEqual(works.map(() => 0));
        expect([lane.aside, lane.asideBytes, lane.ready]).toEqual([0, 0, 0]);
      }
    }),
    { numRuns: 200 },
  );
});

/** Over any time, the rate and a tenth of a second's messages on top. */
function checkRate(sent: Sent[], { place, allowed }: { place: string; allowed: number }): void {
  const times = sent.flatMap(({ atMs, to }) => to.filter((one) => placeOf(one) === place).map(() => atMs));
  times.forEach((fromMs, from) => {
    for (let to = from; to < times.length; to++) {
      const most = ((times[to]! - fromMs) / 1_000) * allowed + Math.max(1, allowed / 10) + 1e-6;
      expect(to - from + 1).toBeLessThanOrEqual(most);
    }
  });
}

function requestsAtOnce(sent: Sent[], place: string): number {
  const carrying = sent.filter(({ to }) => to.some((one) => placeOf(one) === place));
  const at = carrying.map(
    ({ atMs }) => carrying.filter((other) => other.atMs <= atMs && other.endMs > atMs).length,
  );
  return Math.max(0, ...at);
}

test('what has to wait for its destination holds nobody else of its lane up', () => {
  const bench = new Bench({ shares: [limit('+31', { rate: 1 })] });
  const lane = bench.lane(1);
  bench.load(lane, [...Array<string>(50).fill('+31612345678'), ...Array<string>(50).fill('+4915112345678')]);
  bench.run(0);
  expect(bench.sent.map(({ to }) => to[0]!.slice(0, 3)).sort()).toEqual(['+31', ...Array(50).fill('+49')]);
  bench.run(10_500);
  expect(bench.sent).toHaveLength(61);
});

test('a lane that has put too much aside waits alone, and goes on when some of it has left or is canceled', () => {
  const bench = new Bench({ shares: [limit('+31', { rate: 1 })] });
  const [flooded, other] = [bench.lane(1), bench.lane(2)];
  const works = Array.from({ length: 11 }, () =>
    bench.load(flooded, Array<string>(1_000).fill('+31612345678')),
  );
  bench.load(flooded, ['+4915112345678']);
  bench.load(other, ['+4915112345678']);
  bench.run(0);
  expect(flooded.isCrowded).toBe(true);
  expect(bench.gate.isStuck(flooded)).toBe(true);
  expect(bench.sent.map(({ lane, to }) => [lane === other, to[0]])).toEqual([
    [false, '+31612345678'],
    [true, '+4915112345678'],
  ]);
  for (const work of works.slice(0, 5))
    work.decide({ kind: 'cancel', offsets: null } as never, { nowMs: 0, databaseNowMs: 0 });
  bench.run(0);
  expect(flooded.isCrowded).toBe(false);
  expect(bench.sent.map(({ to }) => to[0])).toContain('+4915112345678');
  expect(bench.sent.filter(({ lane }) => lane === flooded).at(-1)?.to).toEqual(['+4915112345678']);
});

test('lanes that wait for one destination get its room by their weights, interactive before bulk', () => {
  const bench = new Bench({ shares: [limit('+31', { rate: 100 })] });
  const lanes = [bench.lane(1), bench.lane(2, 1, 3), bench.lane(3, 0)];
  for (const lane of lanes) bench.load(lane, Array<string>(900).fill('+31612345678'));
  bench.run(4_000);
  const counts = lanes.map((lane) => bench.sent.filter((request) => request.lane === lane).length);
  expect(counts[2]! / bench.sent.length).toBeCloseTo(0.9, 1);
  expect(counts[1]! / (counts[0]! + counts[1]!)).toBeCloseTo(0.75, 1);
});

test('what has just come does not pass what waits, of its own lane or of another', () => {
  const bench = new Bench({ shares: [limit('+31', { rate: 100 })], batchMax: 20 });
  const [first, second] = [bench.lane(1), bench.lane(2)];
  const early = Array.from({ length: 12 }, (_, n) => `+316123${10_000 + n}`);
  bench.load(first, early);
  // Ten have left, and the three for which there is room by now wait for more to go with.
  bench.run(30);
  bench.load(first, ['+31620000001']);
  bench.load(second, ['+31620000002']);
  bench.run(1_000);
  const left = bench.sent.flatMap(({ to }) => to);
  expect(left).toEqual([...early, '+31620000001', '+31620000002']);
});

test('a lane whose account may not send lets others have the room, and is not forgotten', () => {
  const bench = new Bench({ shares: [limit('+31', { rate: 10 })] });
  const [first, second] = [bench.lane(1), bench.lane(2)];
  for (const lane of [first, second]) bench.load(lane, Array<string>(20).fill('+31612345678'));
  bench.run(0);
  bench.block(first);
  bench.run(1_950);
  expect(bench.sent.filter(({ lane }) => lane === second).length).toBeGreaterThanOrEqual(18);
  bench.free(first);
  bench.run(10_000);
  expect(bench.sent).toHaveLength(40);
});

test('new limits hold at once for what waits: another rate, another prefix, none', () => {
  const bench = new Bench({ shares: [limit('+31', { rate: 1 })] });
  const lane = bench.lane(1);
  bench.load(
    lane,
    Array.from({ length: 300 }, (_, n) => (n % 2 ? '+31612345678' : '+31201234567')),
  );
  bench.run(1_005);
  expect(bench.sent).toHaveLength(2);
  bench.change([limit('+31', { rate: 50 })]);
  bench.run(2_005);
  expect(bench.sent.length).toBeGreaterThan(45);
  expect(bench.sent.length).toBeLessThan(60);
  bench.change([limit('+316', { rate: 1 })]);
  bench.run(2_006);
  const free = bench.sent.filter(({ to }) => to[0] === '+31201234567').length;
  expect(free).toBe(150);
  bench.change([]);
  bench.run(2_007);
  expect(bench.sent).toHaveLength(300);
  expect(lane.aside).toBe(0);
});

test('what waits is not sent when it has expired, was parked, or went to another worker', () => {
  for (const end of ['expired', 'parked', 'lost'] as const) {
    const bench = new Bench({ shares: [limit('+31', { rate: 1 })] });
    const lane = bench.lane(1);
    const work = bench.load(lane, Array<string>(20).fill('+31612345678'));
    bench.run(0);
    expect([bench.sent.length, lane.aside]).toEqual([1, 19]);
    if (end === 'parked') work.park();
    if (end === 'lost') bench.tenure.state = 'ended';
    bench.run(60_000, end === 'expired' ? 500 : Number.POSITIVE_INFINITY);
    expect(bench.sent).toHaveLength(1);
    if (end === 'expired') expect(work.unsettled).toBe(0);
  }
});

test('without a share nothing leaves and all waits, until a share comes', () => {
  const bench = new Bench({ shares: [limit('+31', { rate: 0 }), limit('+49', { concurrency: 0 })] });
  const lane = bench.lane(1);
  bench.load(lane, ['+31612345678', '+4915112345678']);
  bench.run(60_000);
  expect([bench.sent.length, lane.aside]).toEqual([0, 2]);
  bench.change([limit('+31', { rate: 10 }), limit('+49', { concurrency: 1 })]);
  bench.run(60_200);
  expect(bench.sent.map(({ to }) => to[0]).sort()).toEqual(['+31612345678', '+4915112345678']);
});

test('of hosts that have a limit each for itself, what is used and waits is that of the neediest one', () => {
  const bench = new Bench({ shares: [limit('*', { concurrency: 2 })], latencyMs: () => 100 });
  const [lane, other, blocked] = [bench.lane(1, 0), bench.lane(2), bench.lane(3)];
  const to = (host: string, count: number) => Array.from({ length: count }, (_, n) => `${n}@${host}`);
  bench.load(lane, [...to('one.example', 5), ...to('two.example', 1)]);
  bench.load(other, to('one.example', 4));
  bench.run(50);
  bench.load(blocked, to('one.example', 50));
  bench.run(60);
  const uses = () => Object.fromEntries(bench.gate.takeUses((one) => one !== blocked));
  expect(uses()).toEqual({ '*': { messages: 2, requestsMax: 2, waits: 7, urgent: true } });
  // What is on its way is in use in the next turn as well.
  expect(uses()).toEqual({ '*': { messages: 0, requestsMax: 2, waits: 7, urgent: true } });
  expect(bench.gate.inUse()).toEqual(new Map([['*', 2]]));
  bench.run(10_000);
  uses();
  expect(uses()).toEqual({});
});
