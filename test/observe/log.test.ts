import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../delivery/mill.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { killProcesses, type MillraceProcess, startProcess } from '../support/start-process.ts';

const adminKey = 'log-test-administrator-key-0123456789abcdef';
const secretKey = Buffer.alloc(32, 9).toString('base64');
const marks = {
  body: 'MarkedBodyOfMessage',
  subject: 'MarkedSubject',
  metadata: 'MarkedMetadata',
  header: 'MarkedRouteSecret',
  webhook: 'MarkedPathOfWebhook',
  refused: 'MarkedLineThatIsRefused',
};
const recipient = '+31612345678';

let provider: Server;
let providerUrl: string;

beforeAll(async () => {
  // Like many providers it quotes in its refusals what it was sent.
  provider = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      response.statusCode = request.url === '/refuses' ? 400 : 200;
      response.end(request.url === '/refuses' ? `cannot take ${body}` : '{"id":"ref-1"}');
    });
  });
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  providerUrl = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
});

afterAll(() => {
  killProcesses();
  provider.close();
});

interface Logged {
  msg: string;
  [field: string]: unknown;
}

/** Everything that a server writes while it meets all sorts of messages and requests. */
async function listen(...args: string[]): Promise<{ output: string; lines: Logged[] }> {
  const { url: databaseUrl } = await createTestDatabase();
  let output = '';
  const hear = (text: string) => {
    output += `${text}\n`;
  };
  const fixed = [
    'serve',
    '--port',
    '0',
    '--database',
    databaseUrl,
    '--processes',
    '2',
    '--log-level',
    'trace',
  ];
  const env = { MILLRACE_ADMIN_KEY: adminKey, MILLRACE_SECRET_KEY: secretKey };
  const server = await startProcess([...fixed, ...args], env, { onLine: hear, onError: hear });
  await send(server);
  const said = (words: string) => output.split(words).length - 1;
  await until(() => said('"msg":"a batch is done"') === 1, 60_000);
  await until(() => attemptsIn(output) >= 22, 60_000);
  expect(await server.stop()).toBe(0);
  const lines = output.split('\n').filter((line) => line.startsWith('{'));
  return { output, lines: lines.map((line) => JSON.parse(line) as Logged) };
}

/** Of the messages that were sent here; callbacks that tell of them are messages as well. */
function isAttempt({ msg, route }: Logged): boolean {
  return msg === 'attempt' && route !== 'callbacks';
}

function attemptsIn(output: string): number {
  const lines = output.split('\n').filter((line) => line.includes('"msg":"attempt"'));
  return lines.filter((line) => !line.includes('"route":"callbacks"')).length;
}

async function send(server: MillraceProcess): Promise<void> {
  const call = async (method: string, path: string, body: unknown, type = 'application/json') =>
    fetch(server.url + path, {
      method,
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': type },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  for (const name of ['takes', 'refuses']) {
    const headers = { 'x-api-key': marks.header };
    const route = { connector: 'http', url: `${providerUrl}/${name}`, allowPrivate: true, headers };
    expect((await call('PUT', `/v1/routes/${name}`, route)).status).toBe(201);
    await call('PUT', `/v1/routes/${name}`, { ...route, ratePerSecond: 1_000 });
    await call('POST', `/v1/routes/${name}/pause`, {});
    await call('POST', `/v1/routes/${name}/resume`, {});
  }
  await call('POST', '/v1/webhooks', { name: 'hook', url: `https://example.com/${marks.webhook}` });
  const { body, subject, metadata } = marks;
  const message = { to: recipient, body, subject, metadata: { note: metadata } };
  const lines = [...Array(20).fill(JSON.stringify(message)), `{"${marks.refused}`].join('\n');
  await call('POST', '/v1/batches?route=takes', lines, 'application/x-ndjson');
  for (const route of ['takes', 'refuses']) await call('POST', '/v1/messages', { ...message, route });
  await call('POST', '/v1/messages', `{"${marks.refused}`);
  await call('POST', '/v1/messages', { ...message, route: 'takes', unknown: marks.refused });
  await fetch(`${server.url}/v1/messages?to=${encodeURIComponent(recipient)}`, {
    headers: { authorization: `Bearer ${adminKey}` },
  });
  await fetch(`${server.url}/v1/messages`, { headers: { authorization: `Bearer ${marks.refused}` } });
}

test('with every option on the log tells each attempt, batch and change of a route, and no secret, body or recipient', async () => {
  const { output, lines } = await listen('--log-attempts', 'true');
  for (const secret of [...Object.values(marks), adminKey, secretKey, recipient, recipient.slice(1)]) {
    expect(output).not.toContain(secret);
  }
  expect(lines.find(({ msg, address }) => msg === 'started' && address)).toMatchObject({
    ...{ version: expect.stringMatching(/^\d/), roles: expect.arrayContaining(['api', 'deliver']) },
    ...{
      data: expect.stringMatching(/^\//),
      database: expect.stringMatching(/^postgres:\/\/[^:@]+@[^@]+\/\w+$/),
    },
  });
  const ends = lines.filter(({ msg }) => /^stop/.test(msg)).map(({ msg }) => msg);
  expect([ends[0], ends.at(-1)]).toEqual([expect.stringMatching(/^stopping: /), 'stopped']);
  const attempts = lines.filter(isAttempt);
  expect(attempts).toHaveLength(22);
  expect(attempts.find(({ route }) => route === 'refuses')).toMatchObject({
    ...{ messageId: expect.stringMatching(/^[0-9a-f-]{36}$/), batchId: null, connector: 'http', attempt: 1 },
    ...{ answer: 'rejected', code: expect.any(String), priority: 'interactive', requestMessages: 1 },
    ...{ to: '+316******78', tookMs: expect.any(Number), accountId: expect.any(Number) },
  });
  const [batch, ...others] = lines.filter(({ msg }) => msg === 'a batch is done');
  expect(others).toEqual([]);
  expect(batch).toMatchObject({ accepted: 20, rejected: 1, sent: 20, durationMs: expect.any(Number) });
  expect(batch!.messagesPerSecond).toBeGreaterThan(0);
  const changes = lines.filter(({ route, changed }) => route === 'takes' && changed !== undefined);
  // One of the processes tells them. What follows at once may be seen as one change.
  expect(changes.length).toBeGreaterThan(0);
  expect(changes.length).toBeLessThan(5);
  expect(changes[0]!.msg).toBe('a route was made');
});

test('recipients are written when that is wanted, and nothing more', async () => {
  const full = await listen('--log-attempts', 'true', '--log-recipients', 'full');
  const attempts = full.lines.filter(isAttempt);
  expect(new Set(attempts.map(({ to }) => to))).toEqual(new Set([recipient]));
  expect(full.output).not.toContain(marks.body);
});
