import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startApi();
  await api.call('PUT', '/v1/routes/sms', { body: { connector: 'http', url: 'https://provider.example/' } });
});

afterAll(() => api.stop());

test.each([
  ['/headers', { headers: { 'x-a': 'b\r\nx-injected: 1' } }],
  ['/headers', { headers: { 'not a name': 'b' } }],
  ['/headers', { headers: Object.fromEntries(Array.from({ length: 51 }, (_, n) => [`x-${n}`, 'y'])) }],
  ['/headers', { headers: { 'x-a': 'b'.repeat(1_000) } }],
  ['/subject', { subject: 'Offer\r\nBcc: a@example.com' }],
  ['/from', { from: 'a@example.com\nX: y' }],
  ['/metadata', { metadata: { a: 'x'.repeat(65_536) } }],
])('a batch may not set %s that no line may set', async (pointer, fields) => {
  const answer = await api.call('POST', '/v1/batches', { body: { route: 'sms', ...fields } });
  expect([answer.status, answer.json.errors?.[0]?.pointer]).toEqual([422, pointer]);
});

test('headers and metadata within the limits are taken', async () => {
  const fields = { headers: { 'x-a': 'b' }, metadata: { a: 'x'.repeat(60_000) } };
  const answer = await api.call('POST', '/v1/batches', { body: { route: 'sms', ...fields } });
  expect(answer.status).toBe(201);
});
