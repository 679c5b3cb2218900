import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import type { Clock } from '../../lib/clock.ts';
import { noDeliveries } from '../observe/delivery-counts.ts';
import { startDeliveryProcess } from './delivery-process.ts';
import type { DeliveryReport } from './delivery-protocol.ts';

const workerId = '018f0000-0000-4000-8000-000000000000';
const report: DeliveryReport = {
  kind: 'stats',
  run: 'run',
  stats: {
    ...{
      workerId,
      shards: 0,
      inFlight: 0,
      unrecorded: 0,
      loadedChunks: 0,
      loadedBytes: 0,
      lanes: [],
      routes: [],
    },
    isBusyWithMessages: false,
    counts: noDeliveries(),
  },
  held: new Uint8Array(128),
  routeNames: {},
  outcomes: [],
  notes: { attempts: new Float64Array(), errors: [], firstAttempts: [] },
  pools: [],
  loopLagSeconds: 0,
  telemetryDropped: 0,
  faults: {},
};

/** Nothing is started again. */
const clock: Clock = {
  nowMs: () => 0,
  monotonicMs: () => 0,
  sleep: () => new Promise(() => {}),
  after: () => () => {},
  soon: () => {},
};

test('the death of a process is told after the last of its reports, which may still be read when it has ended', async () => {
  const child = Object.assign(new EventEmitter(), { pid: 1, connected: true });
  const told: unknown[] = [];
  const starting = startDeliveryProcess({
    spawn: () => child as unknown as ChildProcess,
    clock,
    onReport: (one) => told.push(one.kind),
    onDeath: (death) => told.push(death.workerId),
  });
  child.emit('message', report);
  child.emit('message', { kind: 'started' });
  await starting;
  child.emit('exit', null, 'SIGKILL');
  child.emit('message', report);
  child.emit('close', null, 'SIGKILL');
  expect(told).toEqual(['stats', 'stats', workerId]);
});
