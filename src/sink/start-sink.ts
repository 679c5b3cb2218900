import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SinkLedger } from './ledger.ts';
import type { Verdict } from './provider.ts';
import { Provider } from './provider.ts';
import type { SinkOptions } from './sink-options.ts';
import { checkReceiptsUrl, checkSinkOptions } from './sink-options.ts';

export interface Sink {
  readonly url: string;
  readonly port: number;
  ledger(): SinkLedger;
  /** Cuts every connection. May be called twice. */
  stop(): Promise<void>;
}

/** A thousand messages of 64 KiB, escaped. */
const bodyBytesMax = 128 * 1024 * 1024;

const settingsBytesMax = 10_000;

const arrivalsPageDefault = 1_000;
const arrivalsPageMax = 10_000;

/** Longer than clients keep idle connections, so that it is they who close them. */
const keepAliveTimeoutMs = 120_000;

/**
 * A simulated provider that keeps a ledger of what it received. Every POST but `/reset` hands messages over;
 * `GET /ledger` and `GET /arrivals?after=N&limit=` tell what came; `PUT /receipts` sets where receipts are posted.
 */
export async function startSink(given: Partial<SinkOptions>): Promise<Sink> {
  const options = checkSinkOptions(given);
  const provider = new Provider(options);
  const server = createServer({ keepAliveTimeout: keepAliveTimeoutMs }, (request, response) => {
    if (request.method === 'PUT' && request.url === '/receipts') setReceipts(request, response, provider);
    else if (request.method === 'POST')
      receive(request, response, { provider, latencyMs: options.latencyMs });
    else answerRead(request, response, provider);
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  let stopped: Promise<void> | undefined;
  return {
    url: `http://${host}:${port}`,
    port,
    ledger: () => provider.ledger(),
    stop() {
      provider.receipts.stop();
      stopped ??= stop(server);
      return stopped;
    },
  };
}

function receive(
  request: IncomingMessage,
  response: ServerResponse,
  { provider, latencyMs }: { provider: Provider; latencyMs: number },
): void {
  const parts: Buffer[] = [];
  let bytes = 0;
  request.on('data', (part: Buffer) => {
    bytes += part.length;
    if (bytes > bodyBytesMax) {
      answer(response, { kind: 'answer', status: 413, body: '{"error":{"code":"payload_too_large"}}' });
      request.destroy();
    } else {
      parts.push(part);
    }
  });
  request.on('end', () => {
    if (request.url === '/reset') {
      provider.reset();
      answer(response, { kind: 'answer', status: 200, body: '{}' });
      return;
    }
    const text = parts.length === 1 ? parts[0]!.toString() : Buffer.concat(parts).toString();
    const key = request.headers['idempotency-key'];
    const verdict = provider.post(text, typeof key === 'string' ? key : undefined);
    if (latencyMs === 0) answer(response, verdict);
    else setTimeout(answer, latencyMs, response, verdict);
  });
}

/** `{url}`: a route's receiptsUrl is known only when the sink is there. */
function setReceipts(request: IncomingMessage, response: ServerResponse, provider: Provider): void {
  let text = '';
  request.on('data', (part: Buffer) => {
    text = (text + part).slice(0, settingsBytesMax);
  });
  request.on('end', () => {
    try {
      const { url } = JSON.parse(text) as { url?: unknown };
      provider.receipts.tellAt(checkReceiptsUrl(String(url)));
      answerJson(response, 200, {});
    } catch {
      answerJson(response, 400, { error: { code: 'invalid_url' } });
    }
  });
}

function answer(response: ServerResponse, verdict: Verdict): void {
  if (verdict.kind === 'hang') return;
  if (verdict.kind === 'reset') {
    response.socket?.resetAndDestroy();
    return;
  }
  const headers: Record<string, string | number> = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(verdict.body),
  };
  if (verdict.retryAfterSeconds !== undefined) headers['retry-after'] = verdict.retryAfterSeconds;
  response.writeHead(verdict.status, headers).end(verdict.body);
}

function answerRead(request: IncomingMessage, response: ServerResponse, provider: Provider): void {
  const url = new URL(request.url ?? '/', 'http://sink');
  if (url.pathname === '/ledger') {
    answerJson(response, 200, provider.ledger());
  } else if (url.pathname === '/arrivals') {
    const after = wholeNumber(url.searchParams.get('after'), 0);
    const limit = Math.min(wholeNumber(url.searchParams.get('limit'), arrivalsPageDefault), arrivalsPageMax);
    answerJson(response, 200, provider.arrivals(after, limit));
  } else {
    answerJson(response, 404, { error: { code: 'not_found' } });
  }
}

function answerJson(response: ServerResponse, status: number, value: unknown): void {
  answer(response, { kind: 'answer', status, body: JSON.stringify(value) });
}

function wholeNumber(text: string | null, fallback: number): number {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : fallback;
}

async function stop(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
