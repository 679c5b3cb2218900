import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { until } from '../delivery/mill.ts';
import { killProcesses } from '../support/start-process.ts';
import { createSite, type Site } from './several.ts';

/** Long for all that happens within it, on a machine that is busy. */
const delayMs = 8_000;
const message = { to: '+31612345678', route: 'flood', body: 'x' };

let site: Site | undefined;

afterEach(async () => {
  killProcesses();
  await site?.close();
  site = undefined;
});

test('a server that is told to stop is not ready at once, takes requests until its delay is over, and ends well', async () => {
  site = await createSite();
  const server = await site.start('--shutdown-delay-ms', String(delayMs));
  const before = await site.post(server, '/v1/messages', message);
  expect([before.status, before.headers.get('connection')]).toEqual([202, 'keep-alive']);
  const stopped = server.stop();
  await until(async () => (await fetch(`${server.url}/readyz`)).status === 503);
  const after = await site.post(server, '/v1/messages', message);
  expect([after.status, after.headers.get('connection')]).toEqual([202, 'close']);
  expect((await fetch(`${server.url}/livez`)).status).toBe(200);
  expect(await stopped).toBe(0);
  // It hands everything over: nobody has to wait for its lease.
  expect(await site.query('SELECT FROM worker')).toHaveLength(0);
  await expect(fetch(`${server.url}/livez`)).rejects.toThrow();
  const other = await site.start();
  await until(async () => (await site!.ledger()).distinct === 2);
  expect((await site.ledger()).duplicates).toBe(0);
  await other.stop();
});

test('a server that only delivers says that it lives, and is not ready, for as long as its last sends take', async () => {
  let answer: (() => void) | undefined;
  const provider = http.createServer((_request, response) => {
    answer = () => response.end('{}');
  });
  await once(provider.listen(0, '127.0.0.1'), 'listening');
  try {
    site = await createSite({ url: `http://127.0.0.1:${(provider.address() as AddressInfo).port}/` });
    const api = await site.start('--roles', 'api');
    const worker = await site.start('--roles', 'deliver');
    await site.post(api, '/v1/messages', message);
    await until(() => answer !== undefined);
    const stopped = worker.stop();
    await until(async () => (await fetch(`${worker.url}/readyz`)).status === 503);
    expect((await fetch(`${worker.url}/livez`)).status).toBe(200);
    answer!();
    expect(await stopped).toBe(0);
    expect(await site.query('SELECT FROM outcome WHERE state = 3')).toHaveLength(1);
    await api.stop();
  } finally {
    provider.close();
    provider.closeAllConnections();
  }
});
