import { expect, test } from 'vitest';
import type { Hint } from '../../src/delivery/backlog/hint.ts';
import { startDeliveryFleet } from '../../src/delivery/processes/delivery-fleet.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { limits } from '../../src/message/limits.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { testSecretKey } from '../support/test-secrets.ts';
import { until } from './mill.ts';

test('a thread that dies is told as gone, until the next one delivers', async () => {
  const { url } = await createTestDatabase();
  const workers: number[] = [];
  let ownedShards = 0;
  let failures = 0;
  const fleet = await startDeliveryFleet({
    ...{ databaseUrl: url, poolSize: 4, namedStatements: true, leaseMs: 5_000, logLevel: 'fatal' },
    secretKeys: testSecretKey,
    clock: systemClock,
    processes: 1,
    spawn: () => {
      throw new Error('there are no further processes');
    },
    metrics: {
      attemptAnswered() {},
      attemptFailed() {},
      firstAttemptsMade() {},
      outcomesRecorded() {},
      deliveryState(state) {
        if (state.workers !== workers.at(-1)) workers.push(state.workers);
        ownedShards = state.ownedShards;
      },
      receiptsTold() {},
      databaseFault() {},
      telemetryDropped() {},
    },
    onFailure: () => failures++,
  });
  try {
    // Told before the start is: not only a second after it.
    expect(workers).toEqual([1]);
    await until(() => ownedShards === limits.shards);
    // A defect, wherever it may be: times are no bigints, and the thread does not survive the exception.
    const deadly = { shard: 0, chunkId: '', beganAtMs: 10n ** 18n } as unknown as Hint;
    fleet.push([deadly]);
    await until(() => workers.length === 3);
    expect({ workers, failures }).toEqual({ workers: [1, 0, 1], failures: 1 });
    await until(() => ownedShards === limits.shards);
  } finally {
    await fleet.stop({ deadlineMs: 5_000 });
  }
});
