import { expect, test } from 'vitest';
import { breakerDefaults, type Route, retryDefaults } from '../../message/route.ts';
import type { DeliveryControl } from '../delivery-control.ts';
import { destinationConnectionsKey, destinationRateKey, sharedLimit } from './share-keys.ts';

const route: Route = {
  ...{ id: 7, name: 'r', connector: 'http', options: {}, concurrency: 2, retry: retryDefaults },
  ...{ breaker: breakerDefaults, onUncertain: 'resend', paused: false, version: 1, deleted: false },
  ...{ createdAt: new Date(0), updatedAt: new Date(0) },
  destinations: [
    { match: '*', concurrency: 1 },
    { match: '[2001:db8::1]', ratePerSecond: 20, concurrency: 3 },
  ],
};
const control: DeliveryControl = {
  routeById: (id) => (id === 7 ? route : undefined),
  accountById: () => undefined,
  webhookOf: () => undefined,
  signingKeyOf: () => undefined,
  catchUp: async () => true,
  refresh: async () => {},
  onChange: () => () => {},
};

test('what a destination may get is found by its key, also where the match has colons', () => {
  const limitOf = (key: string) => sharedLimit(key, control);
  expect(limitOf(destinationRateKey(7, '[2001:db8::1]'))).toEqual({ total: 20, whole: false });
  expect(limitOf(destinationConnectionsKey(7, '[2001:db8::1]'))).toEqual({
    ...{ total: 3, whole: true, within: 'conn:7' },
  });
  expect(limitOf(destinationConnectionsKey(7, '*'))).toEqual({ total: 1, whole: true, within: 'conn:7' });
  for (const key of [
    destinationRateKey(7, '*'),
    destinationConnectionsKey(7, '[2001'),
    destinationConnectionsKey(8, '*'),
    '*',
  ])
    expect(limitOf(key)).toBeUndefined();
});
