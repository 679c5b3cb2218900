import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startApi();
  await api.call('PUT', '/v1/routes/sms', {
    body: { connector: 'http', channel: 'sms', url: 'https://provider.example/' },
  });
});

afterAll(() => api.stop());

const message = { to: '+31612345678', body: 'x', route: 'sms' };

/** What the server answers to these lines of a head until it closes, or `until` is in it. */
function exchange(lines: string[], { until = /\r\n\r\n[\s\S]*}$/, body = '' } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
    let text = '';
    let asked = body === '';
    socket.on('data', (part) => {
      text += part;
      if (!asked && text.includes('100 Continue')) {
        asked = true;
        socket.write(body);
      } else if (until.test(text)) socket.end();
    });
    socket.on('close', () => resolve(text)).on('error', reject);
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  });
}

describe('a body that is not what it is read as', () => {
  const json = (encoding: Record<string, string>) => ({ 'content-type': 'application/json', ...encoding });
  it.each<[string, string, unknown, Record<string, string>]>([
    ['a message in gzip', '/v1/messages', message, json({ 'content-encoding': 'gzip' })],
    ['a message in brotli', '/v1/messages', message, json({ 'content-encoding': 'br' })],
    ['a batch in gzip', '/v1/batches', { route: 'sms' }, json({ 'content-encoding': 'gzip' })],
    ['an account in gzip', '/v1/accounts', { name: 'x' }, json({ 'content-encoding': 'gzip' })],
    ['a message in Latin-1', '/v1/messages', message, { 'content-type': 'application/json; charset=latin1' }],
    ['an account in UTF-16', '/v1/accounts', {}, { 'content-type': 'application/json; charset="utf-16"' }],
    ['an upload in Latin-1', '/v1/batches?route=sms', message, { 'content-type': 'text/csv;charset=latin1' }],
    ['an upload in brotli', '/v1/batches?route=sms', message, json({ 'content-encoding': 'br' })],
  ])('%s is refused', async (_name, path, body, headers) => {
    const { status, json: problem } = await api.call('POST', path, { body, headers });
    expect([status, problem.code]).toEqual([415, 'unsupported_media_type']);
  });

  it.each([
    'application/json; charset=UTF-8',
    'application/json;charset="utf-8"',
    'application/json; charset=utf8',
  ])('%s is UTF-8', async (type) => {
    const headers = { 'content-type': type, 'content-encoding': 'identity' };
    expect((await api.call('POST', '/v1/messages', { body: message, headers })).status).toBe(202);
  });

  it('an upload in gzip is taken', async () => {
    const { status } = await fetch(`${api.url}/v1/batches?route=sms`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${api.adminKey}`,
        'content-type': 'application/x-ndjson; charset=utf-8',
        'content-encoding': 'gzip',
      },
      body: gzipSync(JSON.stringify(message)),
    });
    expect(status).toBe(201);
  });
});

it('every endpoint refuses a query field that it does not know', async () => {
  const { json } = await api.call('GET', '/openapi.json', { key: null });
  // What is wrong with a body is told first.
  const bodies: Record<string, unknown> = {
    'post /v1/accounts': { name: 'x' },
    'post /v1/keys': { scopes: ['read'] },
    'put /v1/routes/{name}': { connector: 'http' },
    'post /v1/routes/{name}/test': { to: '+31612345678' },
    'post /v1/batches': { route: 'sms' },
    'post /v1/accounts/{id}/credit': { amountMicros: 1, currency: 'EUR', reason: 'x' },
    'post /v1/templates': { name: 'x', channel: 'sms', body: 'x' },
    'patch /v1/templates/{id}': { body: 'x' },
    'post /v1/suppressions': { to: '+31612345678', channel: 'sms' },
    'post /v1/webhooks': { name: 'x', url: 'https://example.com/' },
    'post /v1/batches/{id}/replay': { states: ['failed'] },
    'post /v1/batches/{id}/resolve': { as: 'sent' },
    'post /v1/messages': message,
    'post /v1/messages/{id}/resolve': { as: 'sent' },
    'post /v1/recipients/erase': { to: '+31612345678' },
  };
  const operations = Object.entries<object>(json.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => ({ method, path })),
  );
  expect(operations.length).toBeGreaterThan(30);
  for (const { method, path } of operations) {
    // A provider adds to the URL what it likes.
    if (path === '/v1/receipts/{token}') continue;
    const name = `${method} ${path}`;
    const body = method === 'get' || method === 'delete' ? undefined : (bodies[name] ?? {});
    const at = `${path.replaceAll(/\{\w+\}/g, '1')}?colour=red`;
    const answer = await api.call(method.toUpperCase(), at, { body });
    expect({ name, status: answer.status, ...answer.json }).toMatchObject({
      name,
      status: 422,
      code: 'validation_failed',
      errors: [{ pointer: '/colour', code: 'unknown_field' }],
    });
  }
});

it('a missing Host and an unknown expectation get a problem document', async () => {
  expect(await exchange(['GET /livez HTTP/1.1'])).toMatch(
    /^HTTP\/1\.1 400 [\s\S]*problem\+json[\s\S]*"code":"invalid_request"[\s\S]*Host/,
  );
  expect(await exchange(['GET /livez HTTP/1.0'], { until: /alive/ })).toMatch(/^HTTP\/1\.1 200 /);
  expect(await exchange(['POST /v1/messages HTTP/1.1', 'host: x', 'expect: 200-ok'])).toMatch(
    /^HTTP\/1\.1 417 [\s\S]*problem\+json[\s\S]*"code":"expectation_failed"/,
  );
});

it('a body is asked for only when its sender may send it', async () => {
  const body = JSON.stringify(message);
  const head = (key: string) => [
    'POST /v1/messages HTTP/1.1',
    'host: x',
    `authorization: Bearer ${key}`,
    'content-type: application/json',
    `content-length: ${body.length}`,
    'expect: 100-continue',
  ];
  expect(await exchange(head('unknown'))).toMatch(/^HTTP\/1\.1 401 /);
  expect(await exchange(head(api.adminKey), { body, until: /queued/ })).toMatch(
    /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 202 /,
  );
});

it('no header is dropped in silence', async () => {
  const many = (count: number) => [
    'GET /v1/accounts HTTP/1.1',
    'host: x',
    ...Array.from({ length: count }, () => 'a:'),
    `authorization: Bearer ${api.adminKey}`,
  ];
  expect(await exchange(many(3_000))).toMatch(/^HTTP\/1\.1 431 [\s\S]*"code":"headers_too_large"/);
  expect(await exchange(many(600))).toMatch(/^HTTP\/1\.1 431 [\s\S]*"code":"headers_too_large"/);
  expect(await exchange(many(400))).toMatch(/^HTTP\/1\.1 200 /);
});
