import { expect, test } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import { windowFingerprint } from '../../message/send-window/window-fingerprint.ts';
import type { DeliveryControl } from '../delivery-control.ts';
import { WorkerWindows } from './worker-windows.ts';

test('after a change of a route’s window what is pending is read at once, and again when what had just left may be taken in', () => {
  const clock = { ms: 0 };
  let to = '20:00';
  let reads = 0;
  const windows = new WorkerWindows({
    clock: { ...systemClock, monotonicMs: () => clock.ms },
    control: {
      routeById: () => ({
        sendWindow: { days: ['mon'], from: '09:00', to, timeZone: 'recipient' },
      }),
    } as unknown as DeliveryControl,
    tenures: () => new Map(),
    databaseNowMs: (ms) => ms,
    onClosed: () => {},
    hold: () => {},
    forget: () => {},
    reread: () => reads++,
    onReady: () => {},
    onRecorded: () => {},
  });
  const putOffBy = windowFingerprint({ days: ['mon'], from: '09:00', to, timeZone: 'recipient' });
  const far = { routeId: 1, putOffBy };
  expect(windows.isDueAnew(far)).toBe(false);
  windows.onControlChange();
  expect(reads).toBe(0);
  to = '21:00';
  windows.onControlChange();
  expect(reads).toBe(1);
  clock.ms = 5_000;
  windows.runOnce();
  expect(reads).toBe(1);
  clock.ms = 20_000;
  expect([windows.isDueAnew(far), windows.isDueAnew({ routeId: 1, putOffBy: null })]).toEqual([true, false]);
  windows.runOnce();
  windows.runOnce();
  expect(reads).toBe(2);
});
