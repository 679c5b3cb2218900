import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientLimits } from '../../src/api/client-limits.ts';
import { until } from '../delivery/mill.ts';
import { startApi, type TestApi } from './start-api.ts';

const limits = {
  ...clientLimits,
  headersTimeoutMs: 300,
  checkEveryMs: 50,
  bodyIdleMs: 400,
  answerPartMs: 400,
  keepAliveMs: 300,
  connectionsMax: 8,
};

let api: TestApi;

beforeAll(async () => {
  api = await startApi({ clientLimits: limits });
  await api.call('PUT', '/v1/routes/sms', {
    body: { connector: 'http', url: 'https://provider.example/', channel: 'sms' },
  });
});

afterAll(() => api.stop());

interface Client {
  socket: Socket;
  text: () => string;
  /** Resolves when the server has closed the connection. */
  closed: Promise<unknown>;
}

async function open(): Promise<Client> {
  const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
  let text = '';
  socket.on('data', (part) => {
    text += part;
  });
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  await once(socket, 'connect');
  return { socket, text: () => text, closed };
}

function uploadHead(path = '/v1/batches?route=sms'): string {
  return (
    `POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${api.adminKey}\r\n` +
    'content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n'
  );
}

function chunked(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

const line = (n: number) => `{"to":"+3161234${String(n).padStart(4, '0')}","body":"hi"}\n`;

test('headers that never end are answered with 408 and the connection is closed', async () => {
  const client = await open();
  client.socket.write('GET /v1/batches HTTP/1.1\r\nhost: x\r\n');
  const trickle = setInterval(() => client.socket.write('x: y\r\n'), 20);
  await client.closed;
  clearInterval(trickle);
  expect(client.text()).toMatch(/^HTTP\/1\.1 408 /);
  expect(client.text()).toContain('request_timeout');
});

test('a connection that says nothing at all is closed', async () => {
  const client = await open();
  await client.closed;
});

test('a connection that is kept alive for nothing is closed', async () => {
  const client = await open();
  client.socket.write('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n');
  await client.closed;
  expect(client.text()).toMatch(/^HTTP\/1\.1 200 /);
});

test('an upload that stops coming is ended, and what came of it stands', async () => {
  const created = (await api.call('POST', '/v1/batches', { body: { route: 'sms' } })).json;
  const client = await open();
  client.socket.write(uploadHead(`/v1/batches/${created.id}/messages`) + chunked(line(1) + line(2)));
  await until(() => client.text().includes('\r\n\r\n'));
  expect(client.text()).toMatch(/^HTTP\/1\.1 408 /);
  expect(client.text()).toContain('request_timeout');
  const batch = (await api.call('GET', `/v1/batches/${created.id}`)).json;
  expect([batch.state, batch.counts.accepted, batch.nextLine]).toEqual(['open', 2, 3]);
  client.socket.destroy();
});

test('an upload that keeps coming may take longer than any pause in it', async () => {
  const client = await open();
  client.socket.write(uploadHead());
  const began = performance.now();
  let lines = 0;
  while (performance.now() - began < 3 * limits.bodyIdleMs) {
    client.socket.write(chunked(line(lines++)));
    await new Promise((resolve) => setTimeout(resolve, limits.bodyIdleMs / 8));
  }
  client.socket.write('0\r\n\r\n');
  await until(() => client.text().includes('\r\n\r\n'));
  expect(client.text()).toMatch(/^HTTP\/1\.1 201 /);
  expect(client.text()).toContain(`"accepted":${lines},`);
  client.socket.destroy();
});

test('an export to a client that does not read is cut, and gives its place back', async () => {
  const body = Array.from(
    { length: 40_000 },
    (_, n) => `{"to":"+31612345678","body":"${'x'.repeat(100)} ${n}"}`,
  );
  const headers = { 'content-type': 'application/x-ndjson' };
  const { id } = (await api.call('POST', '/v1/batches?route=sms', { body: body.join('\n'), headers })).json;
  const client = await open();
  client.socket.pause();
  client.socket.write(
    `GET /v1/batches/${id}/export HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${api.adminKey}\r\n\r\n`,
  );
  // Its kernel takes what fits into the buffers; nothing moves after that until the server gives up.
  const connections = () =>
    new Promise<number>((resolve) => api.app.server.getConnections((_, count) => resolve(count)));
  await until(async () => (await connections()) > 0);
  await until(async () => {
    api.app.server.closeIdleConnections();
    return (await connections()) === 0;
  });
  client.socket.resume();
  await client.closed;
  expect(client.text()).not.toContain('"trailer"');
  // A reader who reads gets all of it.
  const { text } = await api.call('GET', `/v1/batches/${id}/export`);
  expect(text.slice(text.lastIndexOf('\n', text.length - 2))).toContain('{"trailer":{"count":40000,');
});

test('connections beyond the limit are closed at once, and those within it are served', async () => {
  await until(
    () =>
      new Promise<boolean>((resolve) => {
        api.app.server.closeIdleConnections();
        api.app.server.getConnections((_, count) => resolve(count === 0));
      }),
  );
  const clients = await Promise.all(Array.from({ length: limits.connectionsMax }, open));
  const beyond = await open();
  await beyond.closed;
  expect(beyond.text()).toBe('');
  clients[0]!.socket.write('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n');
  await until(() => clients[0]!.text().startsWith('HTTP/1.1 200 '));
  for (const { socket } of clients) socket.destroy();
});
