import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterEach, expect, test } from 'vitest';
import { createTestDatabase } from '../support/postgres.ts';
import { killProcesses, startProcess } from '../support/start-process.ts';

afterEach(killProcesses);

const key = 'throwing-handler-administrator-key-0123';
const count = 100_000;
/** None that this release knows: what a later one stored, before it was taken back. */
const unknownCodec = 99;

test('100,000 messages whose handling throws are kept with the reason, hinder no others, and are delivered once when it is mended', {
  timeout: 240_000,
}, async () => {
  const { url } = await createTestDatabase();
  const sink = await startProcess(['sink', '--port', '0']);
  const server = await startProcess(['serve', '--port', '0', '--database', url, '--log-level', 'fatal'], {
    MILLRACE_ADMIN_KEY: key,
  });
  const { call, settled } = clientOf(server.url);
  const database = new pg.Client({ connectionString: url });
  await database.connect();
  const route = { connector: 'http', url: `${sink.url}/`, allowPrivate: true, batch: { max: 100 } };
  const ledger = async () => (await (await fetch(`${sink.url}/ledger`)).json()) as Ledger;
  await call('PUT', '/v1/routes/thrown', route);
  await call('POST', '/v1/routes/thrown/pause');
  const lines = Array.from({ length: count }, (_, n) => `{"to":"+316${10_000_000 + n}","body":"x"}`);
  const { id } = await call('POST', '/v1/batches?route=thrown', lines.join('\n'), 'application/x-ndjson');
  const { rows } = await database.query<{ codec: number }>(
    'SELECT DISTINCT codec FROM chunk WHERE batch = $1',
    [id],
  );
  const [known] = rows.map(({ codec }) => codec);
  await database.query('UPDATE chunk SET codec = $2 WHERE batch = $1', [id, unknownCodec]);
  await call('POST', '/v1/routes/thrown/resume');
  const other = await call(
    'POST',
    '/v1/batches?route=thrown',
    lines.slice(0, 100).join('\n'),
    'application/x-ndjson',
  );

  expect((await settled(id)).counts).toMatchObject({ accepted: count, failed: count, sent: 0, queued: 0 });
  expect((await settled(other.id)).counts).toMatchObject({ accepted: 100, sent: 100 });
  expect(await ledger()).toMatchObject({ received: 100, distinct: 100 });
  const errors = await database.query(
    'SELECT DISTINCT state, error_code AS code FROM outcome WHERE batch = $1',
    [id],
  );
  expect(errors.rows).toEqual([{ state: 5, code: 'internal_handling' }]);
  const kept = await database.query('SELECT sum(count)::int AS kept FROM chunk WHERE batch = $1', [id]);
  expect(kept.rows).toEqual([{ kept: count }]);

  // They can be looked at, and hide no others from a search.
  const page = await call('GET', `/v1/batches/${id}/messages?state=failed&limit=2`);
  const shown = { to: '', unreadable: true, state: 'failed', error: { code: 'internal_handling' } };
  expect(page.data).toMatchObject([shown, shown]);
  expect(await call('GET', `/v1/messages/${page.data[0].id}`)).toMatchObject(shown);
  const found = await call('GET', '/v1/messages?to=%2B31610000000');
  expect(found.data).toMatchObject([{ batchId: other.id, state: 'sent' }]);

  await database.query('UPDATE chunk SET codec = $2 WHERE batch = $1', [id, known]);
  await database.end();
  const filter = { states: ['failed'], errorCode: 'internal_handling' };
  expect(await call('POST', `/v1/batches/${id}/replay`, filter)).toMatchObject({ id });
  expect((await settled(id)).counts).toMatchObject({ accepted: count, failed: 0, sent: count });
  expect(await ledger()).toMatchObject({ received: count + 100, distinct: count + 100, duplicates: 0 });
});

interface Ledger {
  received: number;
  distinct: number;
  duplicates: number;
}

function clientOf(serverUrl: string) {
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  async function call(method: string, path: string, body?: unknown, type = 'application/json'): Promise<any> {
    const answer = await fetch(serverUrl + path, {
      method,
      headers: { authorization: `Bearer ${key}`, ...(body !== undefined && { 'content-type': type }) },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    expect(answer.status, text).toBeLessThan(300);
    return JSON.parse(text);
  }
  return {
    call,
    /** The batch when all of it has come to an end. */
    async settled(id: string) {
      const endMs = performance.now() + 120_000;
      for (;;) {
        const batch = await call('GET', `/v1/batches/${id}`);
        if (batch.state === 'done') return batch;
        if (performance.now() > endMs) throw new Error(`not in time: ${JSON.stringify(batch)}`);
        await sleep(50);
      }
    },
  };
}
