import { expect, test } from 'vitest';
import { noDeliveries } from '../observe/delivery-counts.ts';
import type { DeliveryReport } from './delivery-protocol.ts';
import { DeliveryTally } from './delivery-tally.ts';

function report(
  run: string,
  {
    sent,
    shards,
    isBusyWithMessages = false,
  }: { sent: number; shards: number; isBusyWithMessages?: boolean },
): DeliveryReport {
  return {
    kind: 'stats',
    run,
    stats: {
      ...{ workerId: run, shards, inFlight: 0, unrecorded: 0, loadedChunks: 0, loadedBytes: 0, lanes: [] },
      isBusyWithMessages,
      routes: [],
      counts: noDeliveries(),
    },
    held: new Uint8Array(128),
    routeNames: { 1: 'sms' },
    outcomes: sent === 0 ? [] : [{ routeId: 1, state: 'sent', count: sent }],
    notes: { attempts: new Float64Array(), errors: [], firstAttempts: [] },
    pools: [],
    loopLagSeconds: 0,
    telemetryDropped: 0,
    faults: {},
  };
}

/** A tally, and what its figures have come to. */
function counting() {
  const told = { sent: 0, workers: 0, ownedShards: 0 };
  const tally = new DeliveryTally({
    attemptAnswered() {},
    attemptFailed() {},
    firstAttemptsMade() {},
    outcomesRecorded({ route, state, count }) {
      expect(count).toBeGreaterThanOrEqual(0);
      if (route === 'sms' && state === 'sent') told.sent += count;
    },
    deliveryState: ({ workers, ownedShards }) => Object.assign(told, { workers, ownedShards }),
    receiptsTold() {},
    databaseFault() {},
    telemetryDropped() {},
  });
  return { tally, told };
}

test('what a dead process had reported stays counted, and the one after it is added once', () => {
  const { tally, told } = counting();
  tally.take(0, report('own', { sent: 5, shards: 512 }));
  tally.take(1, report('first', { sent: 10, shards: 512 }));
  expect(told).toEqual({ sent: 15, workers: 2, ownedShards: 1_024 });
  tally.drop(1);
  expect(told).toEqual({ sent: 15, workers: 1, ownedShards: 512 });
  tally.take(1, report('second', { sent: 0, shards: 0 }));
  tally.take(1, report('second', { sent: 3, shards: 512 }));
  tally.take(1, report('second', { sent: 4, shards: 512 }));
  expect(told).toEqual({ sent: 19, workers: 2, ownedShards: 1_024 });
});

test('a thread that is started again within its process counts on from what the one before had reported', () => {
  const { tally, told } = counting();
  tally.take(1, report('first', { sent: 10, shards: 1_024 }));
  tally.take(1, report('second', { sent: 2, shards: 0 }));
  expect(told).toEqual({ sent: 12, workers: 1, ownedShards: 0 });
});

test('a server is busy with messages as long as one of its workers is', () => {
  const { tally } = counting();
  const tell = (member: number, isBusyWithMessages: boolean) =>
    tally.take(member, report(`run ${member}`, { sent: 0, shards: 512, isBusyWithMessages }));
  tell(0, false);
  expect(tally.isBusyWithMessages).toBe(false);
  tell(1, true);
  tell(0, false);
  expect(tally.isBusyWithMessages).toBe(true);
  tell(1, false);
  expect(tally.isBusyWithMessages).toBe(false);
  tell(1, true);
  tally.drop(1);
  expect(tally.isBusyWithMessages).toBe(false);
});
