import { afterEach, expect, test } from 'vitest';
import { createTestDatabase } from '../support/postgres.ts';
import { killProcesses, startProcess } from '../support/start-process.ts';
import { call, distinctAt, sendFlood, startServer, sumOf, until, untilKnown } from './flood-site.ts';

afterEach(killProcesses);

test('after a server was killed amid a flood, statistics equal what the provider got and what the batch says', async () => {
  const count = 20_000;
  const { url } = await createTestDatabase();
  const [sink, first] = await Promise.all([startProcess(['sink', '--port', '0']), startServer(url)]);
  const batch = await sendFlood(first, { sinkUrl: sink.url, count, ratePerSecond: 8_000 });
  await until(async () => (await distinctAt(sink)) > count / 4);
  await first.kill();
  const second = await startServer(url);
  await until(async () => (await call(second, { path: `/v1/batches/${batch}` })).state === 'done');
  await untilKnown(second);
  expect(await distinctAt(sink)).toBe(count);
  const { counts } = await call(second, { path: `/v1/batches/${batch}` });
  expect(counts).toMatchObject({ accepted: count, sent: count });
  const all = await sumOf(second, 'by=none');
  // Only recorded attempts count: those in flight when it was killed are made again.
  expect(all).toMatchObject({ accepted: count, sent: count, attempts: count, waits: count, failed: 0 });
  expect(await sumOf(second, `batch=${batch}`)).toEqual(all);
  const quarter = count / 4;
  expect(await sumOf(second, 'tag=own')).toMatchObject({ accepted: quarter, sent: quarter });
  expect(await sumOf(second, 'tag=flood')).toMatchObject({ accepted: 3 * quarter, sent: 3 * quarter });
  expect(await second.stop()).toBe(0);
  await sink.stop();
}, 120_000);
