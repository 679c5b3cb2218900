import { afterEach, beforeEach, expect, test } from 'vitest';
import { callbackRouteName } from '../../src/message/webhook.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createMill, insertChunk, type Mill, pendingCount, testRoute, until } from './mill.ts';

const callbacks = 2;
let mill: Mill;

beforeEach(async () => {
  mill = createMill((await createTestDatabase()).url);
  mill.routes.set(callbacks, { ...testRoute, id: callbacks, name: callbackRouteName });
});

afterEach(async () => {
  await mill.close();
});

async function insert(of: 'callback' | 'message', chunks: number): Promise<void> {
  const lines = Array.from({ length: 500 }, () => `{"to":"+31612345678","body":"hi","ref":"${of}"}`);
  const routeId = of === 'callback' ? callbacks : testRoute.id;
  for (let n = 0; n < chunks; n++) await insertChunk(mill.database, { routeId, lines });
}

const received = (of: 'callback' | 'message') =>
  mill.received.filter(({ fields }) => fields.ref === of).length;

/** Of what leaves after callbacks were added to a flood that is on its way, until it is over, the part that is callbacks. */
async function shareBesideFlood(business: number): Promise<number> {
  await insert('message', 20);
  await insert('callback', 8);
  mill.routes.set(callbacks, { ...mill.routes.get(callbacks)!, paused: true });
  mill.worker({ business: () => business }).start();
  await until(() => received('message') > 500);
  const before = mill.received.length;
  mill.routes.set(callbacks, { ...mill.routes.get(callbacks)!, paused: false });
  mill.changeControl();
  await until(() => received('message') === 10_000);
  const last = mill.received.findLastIndex(({ fields }) => fields.ref === 'message');
  const beside = mill.received.slice(before, last);
  return beside.filter(({ fields }) => fields.ref === 'callback').length / beside.length;
}

test('on a busy thread callbacks are a small part of what leaves, and all of them leave in the end', async () => {
  const share = await shareBesideFlood(1);
  expect(share).toBeGreaterThan(0.01);
  expect(share).toBeLessThan(0.25);
  await until(async () => received('callback') === 4_000 && (await pendingCount(mill.database)) === 0);
});

test('on a thread with time to spare they take their turns as the messages of any route', async () => {
  expect(await shareBesideFlood(0.3)).toBeGreaterThan(0.25);
});
