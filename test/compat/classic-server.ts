import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createTestDatabase } from '../support/postgres.ts';
import { startProcess } from '../support/start-process.ts';

export interface Answered {
  status: number;
  headers: Record<string, unknown>;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  json: any;
}

export interface Call {
  body?: unknown;
  headers?: Record<string, string>;
}

export interface ClassicServer {
  port: number;
  /** PEM, of the server's certificate, which is its own authority. */
  certificate: string;
  /** With the scopes that the classic API needs; its account sends through a route to the provider below. */
  key: string;
  accountId: string;
  /** What the provider was sent, by recipient. */
  received: Map<string, Record<string, unknown>>;
  /** What it answers: 200, unless a test says otherwise. */
  answerWith(status: (message: Record<string, unknown>) => number): void;
  /** A request with the administrator's key, to the API of Millrace. */
  manage(method: string, path: string, call?: Call): Promise<Answered>;
  /** A request of a classic client. */
  ask(method: string, path: string, call?: Call): Promise<Answered>;
  stop(): Promise<void>;
}

const adminKey = 'administrator-key-of-this-test';
const certificates = fileURLToPath(new URL('certificates/messagebird', import.meta.url));

/** A server as an operator runs it, with a certificate of the name that the clients know, and a provider behind it. */
export async function startClassicServer(): Promise<ClassicServer> {
  const certificate = await readFile(`${certificates}.crt`, 'utf8');
  const provider = await startProvider();
  const data = await mkdtemp(join(tmpdir(), 'millrace-classic-'));
  const { url: databaseUrl } = await createTestDatabase();
  const tls = ['--tls-cert', `${certificates}.crt`, '--tls-key', `${certificates}.key`];
  const server = await startProcess(
    ['serve', '--port', '0', '--data', data, '--database', databaseUrl, '--log-level', 'warn', ...tls],
    { MILLRACE_ADMIN_KEY: adminKey },
  );
  const { port, protocol } = new URL(server.url);
  if (protocol !== 'https:') throw new Error('the server does not speak TLS');
  const call = (method: string, path: string, { body, headers = {} }: Call = {}) =>
    exchange({ port: Number(port), ca: certificate, method, path, body, headers });
  const manage: ClassicServer['manage'] = (method, path, { body, headers = {} } = {}) =>
    call(method, path, {
      body,
      headers: {
        authorization: `Bearer ${adminKey}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
    });
  await manage('PUT', '/v1/routes/out', {
    body: { connector: 'http', url: provider.url, allowPrivate: true },
  });
  const { accountId, key } = await makeAccount(manage);
  return {
    port: Number(port),
    certificate,
    key,
    accountId,
    received: provider.received,
    answerWith: provider.answerWith,
    manage,
    ask: (method, path, { body, headers = {} } = {}) =>
      call(method, path, { body, headers: { authorization: `AccessKey ${key}`, ...headers } }),
    async stop() {
      await server.stop();
      await provider.stop();
      await rm(data, { recursive: true });
    },
  };
}

async function makeAccount(manage: ClassicServer['manage']): Promise<{ accountId: string; key: string }> {
  const account = await manage('POST', '/v1/accounts', {
    body: { name: 'classic', defaultRoutes: { sms: 'out' } },
  });
  const accountId = account.json.id as string;
  const key = await manage('POST', '/v1/keys', { body: { accountId, scopes: ['send', 'read', 'manage'] } });
  return { accountId, key: key.json.key };
}

async function startProvider() {
  const received = new Map<string, Record<string, unknown>>();
  let statusOf: (message: Record<string, unknown>) => number = () => 200;
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const message = JSON.parse(Buffer.concat(parts).toString()) as Record<string, unknown>;
    received.set(message.to as string, message);
    response.writeHead(statusOf(message), { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    received,
    answerWith(status: typeof statusOf) {
      statusOf = status;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}

function exchange(of: {
  port: number;
  ca: string;
  method: string;
  path: string;
  body: unknown;
  headers: Record<string, string>;
}): Promise<Answered> {
  const { body, ...options } = of;
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const request = httpsRequest({ ...options, host: '127.0.0.1', agent: false }, async (response) => {
      const parts: Buffer[] = [];
      for await (const part of response) parts.push(part as Buffer);
      const answer = Buffer.concat(parts).toString();
      const isJson = /json/.test(response.headers['content-type'] ?? '') && answer !== '';
      resolve({
        status: response.statusCode!,
        headers: response.headers,
        text: answer,
        json: isJson ? JSON.parse(answer) : undefined,
      });
    });
    request.on('error', reject).end(text);
  });
}
