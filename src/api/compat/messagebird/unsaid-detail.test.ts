import { expect, test } from 'vitest';
import { breakerDefaults, type Route, retryDefaults } from '../../../message/route.ts';
import type { ClassicDetails } from './classic-message.ts';
import { unsaidDetail } from './unsaid-detail.ts';

const base: Omit<Route, 'connector' | 'options'> = {
  id: 1,
  name: 'out',
  concurrency: 1,
  retry: retryDefaults,
  breaker: breakerDefaults,
  onUncertain: 'resend',
  paused: false,
  version: 1,
  createdAt: new Date(0),
  updatedAt: new Date(0),
  deleted: false,
};
const http = (bodyTemplate?: unknown): Route => ({ ...base, connector: 'http', options: { bodyTemplate } });
const text: ClassicDetails = { type: 'sms', datacoding: 'plain', mclass: 1 };
const flash: ClassicDetails = { ...text, type: 'flash', mclass: 0 };
const binary: ClassicDetails = { ...text, type: 'binary', udh: '00' };

test('whatever a message is, its provider hears of it where the metadata go along', () => {
  for (const template of [undefined, { all: '{{metadata}}' }, ['{{ metadata.messagebird }}']]) {
    for (const details of [text, flash, binary, { ...text, mclass: 2 }]) {
      expect(unsaidDetail(details, http(template))).toBeUndefined();
    }
  }
});

test('what a template leaves out is told, and a text needs nothing', () => {
  const silent = http({ to: '{{to}}', other: '{{metadata.order}}' });
  expect(unsaidDetail(text, silent)).toBeUndefined();
  expect(unsaidDetail(flash, silent)).toBe('type');
  expect(unsaidDetail(binary, silent)).toBe('type');
  expect(unsaidDetail({ ...text, mclass: 2 }, silent)).toBe('mclass');
  const classes = http({ class: '{{metadata.messagebird.mclass}}' });
  expect(unsaidDetail(flash, classes)).toBeUndefined();
  expect(unsaidDetail(binary, classes)).toBe('type');
  expect(unsaidDetail(binary, http({ type: '{{metadata.messagebird.type}}' }))).toBe('typeDetails');
});

test('another connector is not known to tell', () => {
  const route: Route = { ...base, connector: 'smtp', options: {} };
  expect(unsaidDetail(text, route)).toBeUndefined();
  expect(unsaidDetail(flash, route)).toBe('type');
});
