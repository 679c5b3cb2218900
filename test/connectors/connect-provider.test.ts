import type { LookupFunction } from 'node:net';
import { Client } from 'undici';
import { afterEach, expect, it, vi } from 'vitest';
import { httpConnector } from '../../src/connectors/http/http-connector.ts';
import { connectProvider } from '../../src/connectors/transport/connect-provider.ts';
import { outgoing } from './outgoing.ts';
import { startProvider } from './scripted-provider.ts';

const reply = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n';

afterEach(() => vi.unstubAllEnvs());

it('sends nothing over a connection that went to a private address, whatever the resolver said', async () => {
  const provider = await startProvider((socket) => socket.write(reply));
  const lying: LookupFunction = (_hostname, options, callback) => {
    const found = { address: '127.0.0.1', family: 4 };
    if (options.all) (callback as unknown as (error: null, all: unknown) => void)(null, [found]);
    else callback(null, found.address, found.family);
  };
  const connect = connectProvider({ allowPrivate: false, connectTimeoutMs: 1_000, lookup: lying });
  const client = new Client(`http://provider.example:${provider.port}`, { connect });
  await expect(client.request({ path: '/', method: 'POST', body: 'x' })).rejects.toMatchObject({
    code: 'ERR_ADDRESS_NOT_ALLOWED',
  });
  expect(provider.connections.accepted).toBe(1);
  expect(provider.requests).toEqual([]);
  await client.destroy();
  await provider.stop();
});

it('goes to the provider itself when the environment names a proxy', async () => {
  const provider = await startProvider((socket) => socket.write(reply));
  const proxy = await startProvider((socket) => socket.write(reply));
  for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'ALL_PROXY']) {
    vi.stubEnv(name, `http://127.0.0.1:${proxy.port}`);
  }
  vi.stubEnv('NODE_USE_ENV_PROXY', '1');
  const sender = httpConnector.open({ options: { url: provider.url, allowPrivate: true }, concurrency: 1 });
  const [answer] = await sender.send(outgoing(1), {
    signal: new AbortController().signal,
    mayBegin: () => true,
  });
  await sender.close();
  expect(answer).toMatchObject({ kind: 'sent' });
  expect([provider.requests.length, proxy.connections.accepted]).toEqual([1, 0]);
  await Promise.all([provider.stop(), proxy.stop()]);
});
