import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { CallbackFeed } from '../../src/events/callbacks/callback-feed.ts';
import { type CallbackPool, openCallbackPool } from '../../src/events/callbacks/callback-pool.ts';
import { EndpointHealth } from '../../src/events/callbacks/endpoint-health.ts';
import { type Clock, systemClock } from '../../src/lib/clock.ts';
import { createIdMint } from '../../src/store/id-mint.ts';
import { partitionRange } from '../../src/store/partitions.ts';
import { until } from '../delivery/mill.ts';
import { allIn, type ReceiptsSite, startReceiptsSite } from './receipts-site.ts';

const dayMs = 86_400_000;
let site: ReceiptsSite;
let pool: CallbackPool;
let aheadMs = 0;
const clock: Clock = { ...systemClock, nowMs: () => Date.now() + aheadMs };
let disabled: string[] = [];

beforeAll(async () => {
  site = await startReceiptsSite();
  pool = openCallbackPool();
  await site.route('main');
  // Ahead of the messages: a worker that does not know of it yet fails for good what is for an address of this machine.
  const secrets = [{ secret: `whsec_${'A'.repeat(43)}=` }];
  const body = { connector: 'webhook', allowPrivate: true, secrets };
  await site.api.call('PUT', '/v1/routes/callbacks', { body });
});

afterAll(async () => {
  await pool.close();
  await site.close();
});

beforeEach(() => {
  disabled = [];
  aheadMs = 0;
});

async function newFeed(): Promise<CallbackFeed> {
  const { database, control } = site.api.context;
  const range = await partitionRange(database);
  const health = new EndpointHealth({
    ...{ database, clock, disableAfterMs: 5 * dayMs },
    tell: async () => {},
    onDisabled: ({ name }, reason) => disabled.push(`${name}: ${reason}`),
  });
  const mint = createIdMint({ nowMs: () => Date.now(), range: () => range });
  return new CallbackFeed({ database, control, mint, pool, health });
}

/** Messages that were sent, and stand in the change feed: they come into it when no older transaction is open, also of other tests. */
async function sent(count = 1): Promise<string[]> {
  const ids = await site.send('main', count);
  await allIn(site, ids, 'sent');
  await until(async () => {
    const { data } = (await site.api.call('GET', '/v1/events?limit=1000')).json;
    const told = new Set(data.map(({ messageId }: { messageId?: string }) => messageId));
    return ids.every((id) => told.has(id));
  });
  return ids;
}

/** Until there is nothing more to tell. */
async function tellAll(): Promise<void> {
  const feed = await newFeed();
  while (await feed.runOnce());
}

/** As for messages: what became of a callback comes into the feed when no older transaction is open. */
function toldUntil(isSo: () => Promise<boolean>): Promise<void> {
  return until(async () => {
    await tellAll();
    return await isSo();
  });
}

/** An endpoint of its own at which nobody listens. */
async function register(name: string): Promise<string> {
  const body = { name, url: `http://127.0.0.1:9/${name}`, events: ['message.sent'] };
  return (await site.api.call('POST', '/v1/webhooks', { body })).json.id;
}

const callbacksOf = async (name: string) =>
  (await site.api.call('GET', `/v1/messages?to=${name}&limit=200`)).json.data;

async function setTurn(place: string): Promise<void> {
  const text = 'UPDATE callback_turn SET place = $1';
  await site.api.context.database.query({ name: '', text }, [place]);
}

test.each([
  ['a place that the count has not reached, as after a restore', '999999999'],
  ['a place of an epoch that is not in this database', '0a0b0c0d:5'],
])('from %s events are rather told again than left out', async (_, place) => {
  const name = `w-${randomUUID().slice(0, 8)}`;
  await register(name);
  const [first] = await sent();
  await tellAll();
  expect(await callbacksOf(name)).toHaveLength(1);
  const [second] = await sent();
  await setTurn(place);
  await tellAll();
  const told = (await callbacksOf(name)).map(({ ref }: { ref: string }) => ref);
  expect(told).toEqual(expect.arrayContaining([first, second]));
});

test('of several who make the same turn one does, and an event is told once', async () => {
  const name = `w-${randomUUID().slice(0, 8)}`;
  await register(name);
  const ids = await sent(20);
  await Promise.all([tellAll(), tellAll(), tellAll()]);
  const told = (await callbacksOf(name)).map(({ ref }: { ref: string }) => ref);
  expect(told.sort()).toEqual([...ids].sort());
});

test('an endpoint that fails for days is disabled, and its owner reads since when', async () => {
  const name = `w-${randomUUID().slice(0, 8)}`;
  const id = await register(name);
  const failing = async () =>
    (await site.api.call('GET', `/v1/webhooks/${id}`)).json.failingSince !== undefined;
  await sent();
  await tellAll();
  await allIn(site, [(await callbacksOf(name))[0].id], 'retrying');
  await toldUntil(failing);
  expect(disabled).toEqual([]);

  const [second] = await sent();
  await tellAll();
  const newest = (await callbacksOf(name)).find(({ ref }: { ref: string }) => ref === second);
  await allIn(site, [newest.id], 'retrying');
  aheadMs = 6 * dayMs;
  await toldUntil(async () => disabled.length > 0);
  expect(disabled).toContainEqual(expect.stringContaining(`${name}: it has failed since`));
  expect((await site.api.call('GET', `/v1/webhooks/${id}`)).json).toMatchObject({ state: 'disabled' });
});
