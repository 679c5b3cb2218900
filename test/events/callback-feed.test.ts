import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { CallbackFeed } from '../../src/events/callbacks/callback-feed.ts';
import { type CallbackPool, openCallbackPool } from '../../src/events/callbacks/callback-pool.ts';
import { EndpointHealth } from '../../src/events/callbacks/endpoint-health.ts';
import { type Clock, systemClock } from '../../src/lib/clock.ts';
import { readCallbackTurn } from '../../src/store/events/callback-turn.ts';
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

/** What an endpoint is told of, by the references of its callbacks. */
async function toldTo(name: string): Promise<string[]> {
  const refs: string[] = [];
  let after = '';
  do {
    const { data, next } = (await site.api.call('GET', `/v1/messages?to=${name}&limit=200${after}`)).json;
    refs.push(...data.map(({ ref }: { ref: string }) => ref));
    after = next && `&after=${next}`;
  } while (after);
  return refs;
}

/** Callbacks that are made for an account. */
async function madeFor(accountId: string): Promise<number> {
  const text = `SELECT coalesce(sum(count), 0)::integer AS made FROM chunk
    WHERE account_id = $1 AND route_id = (SELECT id FROM route WHERE name = 'callbacks')`;
  const { rows } = await site.api.context.database.query<{ made: number }>({ name: '', text }, [accountId]);
  return rows[0]!.made;
}

/** So many changes of the first account that stand in the feed, and behind them one of another account that has an endpoint. */
async function crowd(count: number): Promise<{ id: string; crowding: string[] }> {
  const { id, key } = await site.api.makeAccount(`other-${randomUUID()}`, ['send', 'read', 'manage']);
  const body = { name: 'other', url: 'http://127.0.0.1:9/other', events: ['message.sent'] };
  await site.api.call('POST', '/v1/webhooks', { key, body });
  const crowding: string[] = [];
  // One after the other: those that come together are stored together, and make one row.
  for (let n = 0; n < count; n++) crowding.push(...(await site.send('main')));
  await allIn(site, crowding, 'sent');
  const messages = [{ to: '+31612345678', body: 'x', route: 'main' }];
  const { json } = await site.api.call('POST', '/v1/messages', { key, body: messages });
  const other = json.messages[0].id;
  const events = async () => (await site.api.call('GET', '/v1/events', { key })).json.data;
  await until(async () =>
    (await events()).some(({ messageId }: { messageId: string }) => messageId === other),
  );
  return { id, crowding };
}

async function setTurn(place: string): Promise<void> {
  const text = 'UPDATE callback_turn SET place = $1, progress = NULL';
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

test('an account that has hundreds of events keeps another waiting for a turn, not for all of them, and all are told once', async () => {
  const name = `w-${randomUUID().slice(0, 8)}`;
  await register(name);
  await tellAll();
  const { id, crowding } = await crowd(300);
  const feed = await newFeed();
  while ((await madeFor(id)) === 0) expect(await feed.runOnce()).toBe(true);
  const made = await madeFor('1');
  await Promise.all([tellAll(), tellAll(), tellAll()]);
  expect(await madeFor('1')).toBeGreaterThan(made);
  expect((await toldTo(name)).sort()).toEqual(crowding.sort());
});

test('a turn that an earlier release makes while an account is apart leaves nothing out', async () => {
  const name = `w-${randomUUID().slice(0, 8)}`;
  await register(name);
  await tellAll();
  const { crowding } = await crowd(250);
  const { database } = site.api.context;
  const apart = 'SELECT progress FROM callback_turn WHERE progress IS NOT NULL';
  const feed = await newFeed();
  while ((await database.query({ name: '', text: apart })).rows.length === 0) {
    expect(await feed.runOnce()).toBe(true);
  }
  // It tells nothing here, goes on from the place that it knows of, and leaves what it does not know as it is.
  const text =
    'UPDATE callback_turn SET number = number + 1 WHERE number = (SELECT max(number) FROM callback_turn)';
  await database.query({ name: '', text });
  expect((await readCallbackTurn(database))!.progress.apart.size).toBe(0);
  await tellAll();
  expect(new Set(await toldTo(name))).toEqual(new Set(crowding));
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
