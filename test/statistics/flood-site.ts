import { expect } from 'vitest';
import { type MillraceProcess, startProcess } from '../support/start-process.ts';

const key = 'statistics-test-administrator-key-0123456789';

export function startServer(databaseUrl: string, more: readonly string[] = []): Promise<MillraceProcess> {
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
  return startProcess([...args, ...more], { MILLRACE_ADMIN_KEY: key });
}

export async function call(
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

export async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 90_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('the condition did not come to hold in time');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A batch of so many messages; a fourth of them name the tag `own`, the others have that of the batch, `flood`. */
export async function sendFlood(
  server: MillraceProcess,
  { sinkUrl, count, ratePerSecond }: { sinkUrl: string; count: number; ratePerSecond: number },
): Promise<string> {
  const route = { connector: 'http', url: `${sinkUrl}/`, allowPrivate: true, batch: { max: 50 } };
  const body = JSON.stringify({ ...route, ratePerSecond });
  await call(server, { method: 'PUT', path: '/v1/routes/flood', body });
  const lines = Array.from({ length: count }, (_, n) => {
    const own = n % 4 === 0 ? ',"tags":["own"]' : '';
    return `{"to":"+31612345678","body":"Flood ${n}"${own}}\n`;
  }).join('');
  const made = JSON.stringify({ route: 'flood', tags: ['flood'] });
  const { id } = await call(server, { method: 'POST', path: '/v1/batches', body: made });
  const path = `/v1/batches/${id}/messages?close=true`;
  await call(server, { method: 'POST', path, body: lines, type: 'application/x-ndjson' });
  return id;
}

export async function distinctAt(sink: MillraceProcess): Promise<number> {
  const ledger = (await (await fetch(`${sink.url}/ledger`)).json()) as { distinct: number };
  return ledger.distinct;
}

/** Resolves when all that was recorded before this call is in the statistics. */
export async function untilKnown(server: MillraceProcess): Promise<void> {
  const calledAt = Date.now();
  await until(async () => {
    const response = await fetch(`${server.url}/v1/statistics`, {
      headers: { authorization: `Bearer ${key}` },
    });
    const { asOf = null } = (await response.json()) as { asOf?: string | null };
    return asOf !== null && Date.parse(asOf) > calledAt;
  });
}

/** The counters over all series and points, and the waits for first attempts as `waits`. */
export async function sumOf(server: MillraceProcess, query: string): Promise<Record<string, number>> {
  const { series } = await call(server, { path: `/v1/statistics?step=day&${query}` });
  const sum: Record<string, number> = { waits: 0 };
  for (const { points } of series) {
    for (const { timeToFirstAttempt, at: _, ...point } of points) {
      for (const [name, some] of Object.entries(point)) sum[name] = (sum[name] ?? 0) + Number(some);
      sum.waits! += timeToFirstAttempt.count;
    }
  }
  return sum;
}
