import { afterAll, beforeAll, expect, test } from 'vitest';
import { stateNumber } from '../../src/message/state.ts';
import type { TestApi } from '../api/start-api.ts';
import { lines, type Reading, startReading } from './start-reading.ts';

let api: TestApi;
let owner: Reading['owner'];
let store: Reading['store'];
let record: Reading['record'];
let get: Reading['get'];

beforeAll(async () => {
  ({ api, owner, store, record, get } = await startReading());
});

afterAll(() => api.stop());

test('reads of the same moment cost one query, however many ask', async () => {
  const batch = await store({ lines: lines(10) });
  let queries = 0;
  const { database } = api.context;
  const query = database.query.bind(database);
  database.query = (statement, values) => {
    if (statement.name === 'find_batch') queries++;
    return query(statement, values);
  };
  try {
    const path = `/v1/batches/${batch.id}`;
    const answers = await Promise.all(
      Array.from({ length: 500 }, () =>
        api.app.inject({ method: 'GET', url: path, headers: { authorization: `Bearer ${owner.key}` } }),
      ),
    );
    expect(new Set(answers.map(({ statusCode }) => statusCode))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
    expect(queries).toBe(1);
  } finally {
    database.query = query;
  }
});

test('reads of the same moment never hide a write from the account that made it', async () => {
  const admin = { key: api.adminKey };
  const batch = await store({ lines: lines(1), accountId: 1 });
  const path = `/v1/batches/${batch.id}`;
  expect((await get(path, admin)).json.counts.sent).toBe(0);
  await record({ batch: batch.id, chunk: batch.chunks[0]!, state: stateNumber.sent });
  // What the write was does not matter: its answer begins a new generation of the account's reads.
  await api.call('POST', '/v1/accounts', { body: { name: 'a write' } });
  expect((await get(path, admin)).json.counts.sent).toBe(1);
});

test('reads of the same moment are made anew for a client that brings a consistency token', async () => {
  const batch = await store({ lines: lines(1) });
  const path = `/v1/batches/${batch.id}`;
  expect((await get(path)).json.counts.sent).toBe(0);
  await record({ batch: batch.id, chunk: batch.chunks[0]!, state: stateNumber.sent });
  const headers = { 'millrace-consistency': 'home:1:0/0' };
  const answer = await api.call('GET', path, { key: owner.key, headers });
  expect(answer.json.counts.sent).toBe(1);
});
