import { expect, test } from 'vitest';
import type { SendWindow } from '../../message/send-window/send-window.ts';
import { windowFingerprint } from '../../message/send-window/window-fingerprint.ts';
import { RouteWindows } from './route-windows.ts';

const nine: SendWindow = { days: ['mon'], from: '09:00', to: '20:00', timeZone: 'recipient' };

test('a route whose window is another one than when it was noted is told, once', () => {
  let window: SendWindow | undefined = nine;
  const routes = new RouteWindows((id) => (id === 1 ? window : undefined));
  expect([routes.note(1), routes.note(2)]).toEqual([windowFingerprint(nine), windowFingerprint(undefined)]);
  expect(routes.takeChanged()).toEqual([]);
  // Another object that says the same.
  window = structuredClone(nine);
  expect(routes.takeChanged()).toEqual([]);
  window = undefined;
  expect([routes.note(1), routes.takeChanged(), routes.takeChanged()]).toEqual([0, [1], []]);
});
