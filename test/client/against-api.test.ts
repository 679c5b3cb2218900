import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, createClient } from '../../src/client/client.ts';
import type { TestApi } from '../api/start-api.ts';
import { startApiWithRoute } from '../reading/start-reading.ts';

let api: TestApi;
let client: Client;

beforeAll(async () => {
  ({ api } = await startApiWithRoute());
  const key = (await api.makeAccount('sender', ['send', 'read', 'manage'])).key;
  client = createClient({ url: api.url, key });
});

afterAll(async () => {
  client.close();
  await api.stop();
});

const numbers = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => ({ to: `+3161${String(from + index).padStart(7, '0')}` }));

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('a batch', () => {
  it('is sent, shown, exported and replayed by its key', async () => {
    const settings = { route: 'sms', body: 'Hello', idempotencyKey: 'one' };
    const batch = await client.batches.send([...numbers(2_500), { to: 'nobody' }], settings);
    expect(batch).toMatchObject({
      state: 'delivering',
      counts: { accepted: 2_500, rejected: 1 },
      errors: [{ line: 2_501, code: 'invalid_recipient' }],
    });
    const exported = await all(client.batches.export(batch.id));
    expect(exported.map(({ to }) => to).sort()).toEqual(numbers(2_500).map(({ to }) => to));
    expect(exported[0]).toMatchObject({ body: 'Hello', state: 'queued', batchId: batch.id });
    expect(await all(client.batches.rejections(batch.id))).toEqual(batch.errors);
    expect(await client.batches.send(numbers(3), settings)).toMatchObject({ id: batch.id });
  });

  it('takes CSV and objects one after the other, and counts what each append brought', async () => {
    const { id } = await client.batches.create({ route: 'sms' });
    async function* csv(text: string) {
      yield text;
    }
    const first = csv('to,body\n+31612345678,"two\nlines"\n+31612345679,x\n');
    expect(await client.batches.append(id, first, { format: 'csv' })).toEqual({
      accepted: 2,
      rejected: 0,
      nextLine: 5,
      errors: [],
    });
    const second = csv('to,body\n+31612345670,y\n12,z\n');
    expect(await client.batches.append(id, second, { format: 'csv' })).toMatchObject({
      accepted: 1,
      rejected: 1,
      nextLine: 7,
      errors: [{ line: 6, code: 'invalid_recipient' }],
    });
    expect(await client.batches.append(id, [])).toMatchObject({ accepted: 0, nextLine: 7 });
    expect(await client.batches.append(id, numbers(3))).toMatchObject({
      accepted: 3,
      rejected: 0,
      errors: [],
    });
    const closed = await client.batches.close(id);
    expect(closed.counts).toMatchObject({ accepted: 6, rejected: 1 });
    await expect(client.batches.append(id, numbers(1))).rejects.toMatchObject({ code: 'batch_closed' });
    const bodies = (await all(client.batches.messages(id))).map(({ body }) => body);
    expect(bodies.slice(0, 3).sort()).toEqual(['two\nlines', 'x', 'y']);
  });

  it('tells its changes in the feed, from a cursor on', async () => {
    const start = client.events({ after: 'now', follow: false });
    expect(await all(start)).toEqual([]);
    const { id } = await client.batches.create({ route: 'sms' });
    await client.batches.pause(id);
    await client.batches.resume(id);
    await client.batches.pause(id);
    const seen: string[] = [];
    for await (const event of client.events({ after: start.cursor!, pollMs: 5 })) {
      expect(event).toMatchObject({ type: 'batch', batchId: id, at: expect.any(String) });
      if (seen.push(event.state) === 3) break;
    }
    expect(seen).toEqual(['paused', 'open', 'paused']);
  });
});

it('a message is sent and found', async () => {
  const { messages } = await client.messages.send(
    { ...numbers(1, 5_000)[0]!, route: 'sms', ref: 'order-7', tags: ['a'] },
    { idempotencyKey: 'order-7' },
  );
  const id = messages[0]!.id;
  expect(await client.messages.get(id)).toMatchObject({ id, ref: 'order-7', tags: ['a'], state: 'queued' });
  expect((await all(client.messages.all({ ref: 'order-7' }))).map((message) => message.id)).toEqual([id]);
  expect((await client.messages.find({ to: numbers(1, 5_000)[0]!.to })).data).toHaveLength(1);
});

it('an administrator manages accounts, keys and routes', async () => {
  const admin = createClient({ url: api.url, key: api.adminKey });
  const account = await admin.accounts.create({ name: 'Acme', weight: 2, limits: { ratePerSecond: 5 } });
  expect(await admin.accounts.set(account.id, { weight: 3 })).toMatchObject({ weight: 3, name: 'Acme' });
  const key = await admin.keys.create({ accountId: account.id, scopes: ['send'] });
  expect(await admin.keys.get(key.id)).toMatchObject({ scopes: ['send'], hint: `…${key.key!.slice(-4)}` });
  expect((await admin.keys.rotate(key.id)).key).not.toBe(key.key);
  await admin.keys.revoke(key.id);
  await admin.routes.set('mail', {
    connector: 'http',
    channel: 'email',
    url: 'https://provider.example/mail',
    breaker: false,
    retry: { attemptsMax: 3 },
    destinations: [{ match: '*', concurrency: 2 }],
  });
  expect(await admin.routes.pause('mail')).toMatchObject({ paused: true, breaker: false });
  expect((await all(admin.routes.all())).map(({ name }) => name)).toEqual(['mail', 'sms']);
  const gone = { idempotencyKey: 'gone' };
  await admin.routes.delete('mail', gone);
  await admin.routes.delete('mail', gone);
  await expect(admin.routes.delete('mail')).rejects.toMatchObject({ status: 404, code: 'not_found' });
  admin.close();
});
