import { afterAll, beforeAll, expect, test } from 'vitest';
import { chunkIdOf } from '../../src/message/id.ts';
import { startIntake, type TestIntake } from './start-intake.ts';

let api: TestIntake;
beforeAll(async () => {
  api = await startIntake();
});
afterAll(() => api.stop());

const dayMs = 86_400_000;
const to = '+31612345678';

function inDays(days: number): string {
  return new Date(Date.now() + days * dayMs).toISOString();
}

interface Stored {
  timed: boolean;
  dueAt: Date | number;
}

async function chunksOf(batch: string): Promise<Stored[]> {
  const { rows } = await api.database.query<Stored & Record<string, unknown>>(
    {
      name: '',
      text: `SELECT c.timed, p.due_at AS "dueAt" FROM chunk c JOIN pending p ON p.chunk_id = c.id
        WHERE c.batch = $1 OR c.id = $1`,
    },
    [batch],
  );
  return rows.map(({ timed, dueAt }) => ({ timed, dueAt }));
}

async function upload(path: string, body: string, type = 'application/x-ndjson') {
  return await api.call('POST', path, { body, headers: { 'content-type': type } });
}

test('a single message is due at its time, not hinted before, and shown with its times in UTC', async () => {
  const hinted = api.hints.length;
  const day = inDays(3).slice(0, 10);
  const times = { scheduledAt: `${day}T09:00:00+01:00`, expiresAt: `${day}t09:30:00.5z` };
  const { json } = await api.call('POST', '/v1/messages', { body: { to, route: 'r', ...times } });
  const { id } = json.messages[0];
  const shown = await api.call('GET', `/v1/messages/${id}`);
  expect(shown.json).toMatchObject({
    state: 'queued',
    scheduledAt: `${day}T08:00:00.000Z`,
    expiresAt: `${day}T09:30:00.500Z`,
  });
  expect(await chunksOf(chunkIdOf(id))).toEqual([{ timed: true, dueAt: new Date(`${day}T08:00:00Z`) }]);
  expect(api.hints).toHaveLength(hinted);
});

test('messages of one array that have times are kept apart from the others, which are due at once', async () => {
  const hinted = api.hints.length;
  const { json } = await api.call('POST', '/v1/messages', {
    body: [
      { to, route: 'r' },
      { to, route: 'r', scheduledAt: inDays(2) },
      { to, route: 'r', scheduledAt: inDays(1) },
    ],
  });
  const chunks = json.messages.map(({ id }: { id: string }) => chunkIdOf(id));
  expect(new Set(chunks).size).toBe(2);
  expect(api.hints.slice(hinted)).toMatchObject([{ chunkId: chunks[0], count: 1, timed: false }]);
});

test.each([
  [{ scheduledAt: 'tomorrow' }, /"scheduledAt" must be a time of RFC 3339/],
  [{ expiresAt: '2030-02-30T00:00:00Z' }, /"expiresAt" must be a time of RFC 3339/],
  [{ scheduledAt: inDays(57) }, /"scheduledAt" lies beyond .* messages are not kept longer/],
  [{ scheduledAt: inDays(2), expiresAt: inDays(1) }, /"expiresAt" must be later than "scheduledAt"/],
])('times that cannot be obeyed are refused, of a message and of a batch: %j', async (times, detail) => {
  const message = await api.call('POST', '/v1/messages', { body: { to, route: 'r', ...times } });
  expect(message.json).toMatchObject({ status: 422, code: 'validation_failed' });
  expect(message.json.errors[0].detail).toMatch(detail);
  const batch = await api.call('POST', '/v1/batches', { body: { route: 'r', ...times } });
  expect(batch.json).toMatchObject({ status: 422, code: 'validation_failed' });
  const field = Object.keys(times).at(-1)!;
  expect(batch.json.errors).toMatchObject([{ pointer: `/${field}`, code: 'invalid_value' }]);
  const query = new URLSearchParams({ route: 'r', ...times } as Record<string, string>);
  const oneShot = await upload(`/v1/batches?${query}`, `{"to":"${to}"}\n`);
  expect(oneShot.json).toMatchObject({ status: 422, code: 'validation_failed' });
});

test('the lines of a batch take its times, unless they name their own', async () => {
  const [scheduledAt, expiresAt, sooner] = [inDays(2), inDays(4), inDays(1)];
  const made = await api.call('POST', '/v1/batches', { body: { route: 'r', scheduledAt, expiresAt } });
  expect(made.json).toMatchObject({ scheduledAt, expiresAt });
  const path = `/v1/batches/${made.json.id}/messages`;
  expect((await upload(path, `{"to":"${to}"}\n`)).json).toMatchObject({ accepted: 1 });
  expect(await chunksOf(made.json.id)).toEqual([{ timed: false, dueAt: new Date(scheduledAt) }]);
  const csv = `to,scheduledAt,expiresAt\n${to},${sooner},\n${to},,${inDays(1)}\n${to},${inDays(5)},\n`;
  const answer = await upload(path, csv, 'text/csv');
  expect(answer.json).toMatchObject({ accepted: 1, rejected: 2 });
  expect(answer.json.errors.map(({ code }: { code: string }) => code)).toEqual([
    'invalid_value',
    'invalid_value',
  ]);
  const { data } = (await api.call('GET', `/v1/batches/${made.json.id}/messages`)).json;
  expect(data).toMatchObject([
    { scheduledAt, expiresAt },
    { scheduledAt: sooner, expiresAt },
  ]);
  expect(await chunksOf(made.json.id)).toContainEqual({ timed: true, dueAt: new Date(sooner) });
});

test('a scheduled batch that starts at its closing waits for that first', async () => {
  const made = await api.call('POST', '/v1/batches', {
    body: { route: 'r', start: 'close', scheduledAt: inDays(1) },
  });
  await upload(`/v1/batches/${made.json.id}/messages`, `{"to":"${to}"}\n`);
  expect(await chunksOf(made.json.id)).toEqual([{ timed: false, dueAt: Number.POSITIVE_INFINITY }]);
});

test('a time that has passed is taken: the message is due at once', async () => {
  const { json } = await api.call('POST', '/v1/messages', {
    body: { to, route: 'r', scheduledAt: '2020-01-01T00:00:00Z' },
  });
  const [chunk] = await chunksOf(chunkIdOf(json.messages[0].id));
  expect(Math.abs(Number(chunk!.dueAt) - Date.now())).toBeLessThan(60_000);
  expect(api.hints.at(-1)).toMatchObject({ chunkId: chunkIdOf(json.messages[0].id), timed: true });
});
