import { afterEach, expect, test } from 'vitest';
import { createTestDatabase } from '../support/postgres.ts';
import { killProcesses, type MillraceProcess, startProcess } from '../support/start-process.ts';

afterEach(killProcesses);

const key = 'statistics-test-administrator-key-0123456789';

function startServer(databaseUrl: string): Promise<MillraceProcess> {
  const args = [
    'serve',
    '--port',
    '0',
    '--database',
    databaseUrl,
    '--lease-ms',
    '1000',
    '--log-level',
    'error',
  ];
  return startProcess(args, { MILLRACE_ADMIN_KEY: key });
}

async function call(
  server: MillraceProcess,
  { method = 'GET', path, body, type = 'application/json' }: Record<string, string> & { path: string },
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
): Promise<any> {
  const response = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body !== undefined && { 'content-type': type }) },
    ...(body !== undefined && { body }),
    signal: AbortSignal.timeout(60_000),
  });
  expect(response.status, `${method} ${path}`).toBeLessThan(300);
  return await response.json();
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 90_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('the condition did not come to hold in time');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test('after a server was killed amid a flood, statistics equal what the provider got and what the batch says', async () => {
  const count = 20_000;
  const { url } = await createTestDatabase();
  const [sink, first] = await Promise.all([startProcess(['sink', '--port', '0']), startServer(url)]);
  const route = { connector: 'http', url: `${sink.url}/`, allowPrivate: true, batch: { max: 50 } };
  const body = JSON.stringify({ ...route, ratePerSecond: 8_000 });
  await call(first, { method: 'PUT', path: '/v1/routes/flood', body });
  const lines = Array.from({ length: count }, (_, n) => {
    const own = n % 4 === 0 ? ',"tags":["own"]' : '';
    return `{"to":"+31612345678","body":"Flood ${n}"${own}}\n`;
  }).join('');
  const batch = await call(first, {
    method: 'POST',
    path: '/v1/batches',
    body: JSON.stringify({ route: 'flood', tags: ['flood'] }),
  });
  const upload = `/v1/batches/${batch.id}/messages?close=true`;
  await call(first, { method: 'POST', path: upload, body: lines, type: 'application/x-ndjson' });
  const ledger = async () => (await (await fetch(`${sink.url}/ledger`)).json()) as { distinct: number };
  await until(async () => (await ledger()).distinct > count / 4);
  await first.kill();
  const second = await startServer(url);
  await until(async () => (await call(second, { path: `/v1/batches/${batch.id}` })).state === 'done');
  const counts = (await call(second, { path: `/v1/batches/${batch.id}` })).counts;
  const endedAt = Date.now();
  await until(async () => {
    const { asOf } = await call(second, { path: '/v1/statistics' });
    return asOf !== null && Date.parse(asOf) > endedAt;
  });
  const sumOf = async (query: string) => {
    const { series } = await call(second, { path: `/v1/statistics?step=day&${query}` });
    const sum: Record<string, number> = {};
    for (const { points } of series) {
      for (const { timeToFirstAttempt, at, ...point } of points) {
        for (const [name, some] of Object.entries(point)) sum[name] = (sum[name] ?? 0) + Number(some);
        sum.waits = (sum.waits ?? 0) + timeToFirstAttempt.count;
      }
    }
    return sum;
  };
  expect((await ledger()).distinct).toBe(count);
  expect(counts).toMatchObject({ accepted: count, sent: count });
  const all = await sumOf('by=none');
  // Only recorded attempts count: those in flight when it was killed are made again.
  expect(all).toMatchObject({ accepted: count, sent: count, attempts: count, waits: count, failed: 0 });
  expect(await sumOf(`batch=${batch.id}`)).toEqual(all);
  expect(await sumOf('tag=own')).toMatchObject({ accepted: count / 4, sent: count / 4 });
  expect(await sumOf('tag=flood')).toMatchObject({ accepted: (count / 4) * 3, sent: (count / 4) * 3 });
  expect(await second.stop()).toBe(0);
  await sink.stop();
}, 120_000);
