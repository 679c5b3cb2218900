import { expect, test } from 'vitest';
import { makeChunkId } from '../../src/message/id.ts';
import { Explainer } from './explain.ts';
import type { Fault, FaultKind } from './faults.ts';
import { leaseMs } from './installation.ts';

const shard = 7;
const id = makeChunkId({ unixMs: 0, shard, random: Buffer.alloc(8) });

function fault(kind: FaultKind, beganAt: number): Fault {
  const handedOver = { resend: new Set<string>(), hold: new Set<string>() };
  const shards = new Set([shard]);
  return {
    ...{ kind, of: 'worker-1', beganAt, endedAt: beganAt + 5_000, shards, readAt: beganAt + 300 },
    ...{ handedOver, marked: new Set<string>() },
  };
}

function explainer(...faults: Fault[]): Explainer {
  return new Explainer('hold', { faults, unanswered: faults.map(() => []) });
}

test('a mark whose transaction was open when its worker was suspended explains what became uncertain when it woke', () => {
  const suspended = explainer(fault('kill worker', 0), fault('suspend worker', 10_000));
  const times = { markedAt: 9_990, uncertainAt: 15_100 };
  expect(suspended.lateMark(id, times)).toEqual({ id, fault: 1, reason: 'late' });
});

test('a suspension explains nothing that was marked after it, or was uncertain before, or long after', () => {
  const suspended = explainer(fault('suspend worker', 10_000));
  expect(suspended.lateMark(id, { markedAt: 10_010, uncertainAt: 15_100 })).toBeUndefined();
  expect(suspended.lateMark(id, { markedAt: 9_000, uncertainAt: 9_900 })).toBeUndefined();
  expect(suspended.lateMark(id, { markedAt: 9_990, uncertainAt: 15_001 + leaseMs })).toBeUndefined();
});

test('nor what was marked on a shard that the suspended worker had not', () => {
  const suspended = explainer({ ...fault('suspend worker', 10_000), shards: new Set([8]) });
  expect(suspended.lateMark(id, { markedAt: 9_990, uncertainAt: 15_100 })).toBeUndefined();
});

test('a kill leaves no transaction open', () => {
  expect(
    explainer(fault('kill worker', 10_000)).lateMark(id, { markedAt: 9_990, uncertainAt: 15_100 }),
  ).toBeUndefined();
});

test('what comes again at the moment of a kill is of an earlier fault, and the kill explains the next time', () => {
  const handedOver = { resend: new Set<string>(), hold: new Set([id]) };
  const both = explainer(
    { ...fault('kill worker', 0), handedOver },
    { ...fault('kill worker', 10_000), handedOver },
  );
  expect(both.repeat({ id, beforeAt: -100, at: 10_028 })).toEqual({ id, fault: 0, reason: 'unrecorded' });
  expect(both.repeat({ id, beforeAt: 10_028, at: 15_000 })).toEqual({ id, fault: 1, reason: 'unrecorded' });
  expect(both.repeat({ id, beforeAt: 15_000, at: 16_000 })).toBeUndefined();
});

test('a request that was cut as a message came again explains the next time, not this one', () => {
  const faults = [
    { ...fault('kill worker', 0), handedOver: { resend: new Set<string>(), hold: new Set([id]) } },
    fault('cut sinks', 10_000),
  ];
  const cut = { ids: [id], beganAt: 9_999, endedAt: 10_001, by: 'cut' as const };
  const both = new Explainer('hold', { faults, unanswered: [[], [cut]] });
  expect(both.repeat({ id, beforeAt: -100, at: 10_000 })).toEqual({ id, fault: 0, reason: 'unrecorded' });
  expect(both.repeat({ id, beforeAt: 10_000, at: 10_040 })).toEqual({ id, fault: 1, reason: 'unanswered' });
  expect(both.repeat({ id, beforeAt: 10_040, at: 16_000 })).toBeUndefined();
});
