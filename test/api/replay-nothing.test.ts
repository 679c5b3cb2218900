import { afterAll, beforeAll, expect, test } from 'vitest';
import { shardOf } from '../../src/message/id.ts';
import { runCli } from '../support/run-cli.ts';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;

/** No worker runs: what is asked of one stays unanswered. */
beforeAll(async () => {
  api = await startApi();
  const body = { connector: 'http', channel: 'sms', url: 'https://provider.example/' };
  await api.call('PUT', '/v1/routes/sms', { body });
});

afterAll(() => api.stop());

/** A batch of two messages that is done, with these counts and one outcome. */
async function doneBatch(counts: object, outcome?: { state: number; errorCode: string }): Promise<string> {
  const headers = { 'content-type': 'application/x-ndjson' };
  const body = '{"to":"+31612345678","body":"x"}\n'.repeat(2);
  const { id } = (await api.call('POST', '/v1/batches?route=sms', { body, headers })).json;
  const { database } = api.context;
  await database.query(
    {
      name: '',
      text: `UPDATE batch SET done_at = '2026-01-02T03:04:05Z', counts = $3 WHERE shard = $1 AND id = $2`,
    },
    [shardOf(id), id, JSON.stringify({ accepted: 2, ...counts })],
  );
  if (outcome) {
    await database.query(
      {
        name: '',
        text: `INSERT INTO outcome (shard, chunk_id, seq, batch, state, attempt, count, at, error_code)
          SELECT shard, id, 1, batch, $2, 1, count, now(), $3 FROM chunk WHERE batch = $1`,
      },
      [id, outcome.state, outcome.errorCode],
    );
  }
  return id;
}

const doneAt = '2026-01-02T03:04:05.000Z';

async function openRequests(): Promise<number> {
  const text = 'SELECT count(*)::int AS open FROM inbox';
  return (await api.context.database.query<{ open: number }>({ name: '', text })).rows[0]!.open;
}

test('a replay that no message meets leaves the batch done as it was, and says so', async () => {
  const id = await doneBatch({ sent: 2 });
  const replayed = await api.call('POST', `/v1/batches/${id}/replay`, { body: { states: ['failed'] } });
  expect(replayed).toMatchObject({ status: 200, json: { state: 'done', doneAt, replayed: 0 } });
  const failed = await doneBatch({ failed: 2 }, { state: 5, errorCode: 'timeout' });
  const filter = { states: ['failed'], errorCode: 'other' };
  const other = await api.call('POST', `/v1/batches/${failed}/replay`, { body: filter });
  expect(other.json).toMatchObject({ state: 'done', doneAt, replayed: 0 });
  const env = { MILLRACE_URL: api.url, MILLRACE_KEY: api.adminKey };
  const { out } = await runCli(['batch', 'replay', id, '--state', 'failed,expired'], env);
  expect(out).toMatch(/^0 messages replayed\n\nid /);
  expect(await openRequests()).toBe(0);
});

test('nothing changes where no send is uncertain and one is to be settled', async () => {
  const id = await doneBatch({ sent: 2 });
  const resolved = await api.call('POST', `/v1/batches/${id}/resolve`, { body: { as: 'sent' } });
  expect(resolved).toMatchObject({ status: 200, json: { state: 'done', doneAt } });
});

test('a replay of what is there is asked of its owners, and counted where the batch was done', async () => {
  const id = await doneBatch({ failed: 2 }, { state: 5, errorCode: 'timeout' });
  const replayed = await api.call('POST', `/v1/batches/${id}/replay`, { body: { states: ['failed'] } });
  expect(replayed.json).toMatchObject({ state: 'delivering', doneAt: null, replayed: 2 });
  expect(await openRequests()).toBe(1);
});
