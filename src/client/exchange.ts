import { setMaxListeners } from 'node:events';
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request as requestPlain } from 'node:http';
import { Agent as AgentTls, request as requestTls } from 'node:https';
import type { Readable } from 'node:stream';
import { parseRetryAfter } from '../lib/parse-retry-after.ts';
import { ApiError, ConnectionError, readProblem, SourceError } from './client-error.ts';
import { createConsistencyMemory } from './consistency-memory.ts';
import { readServerUrl } from './server-url.ts';

/** Bytes of one JSON answer; a page of 1,000 messages of 64 KiB stays below it. */
const answerBytesMax = 96 * 1_048_576;

const consistencyHeader = 'millrace-consistency';

export interface ExchangeSettings {
  url: string;
  key: string | undefined;
  /** Sent as `Millrace-Account`. */
  account: string | undefined;
  userAgent: string;
  /** Connections kept open at once. */
  connectionsMax: number;
  /** Silence on a connection after which it counts as broken. */
  silenceMs: number;
}

export interface ExchangeRequest {
  method: string;
  /** Path and query, from the root of the API. */
  path: string;
  headers?: Record<string, string>;
  body?: Buffer | Readable;
  signal?: AbortSignal | undefined;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: IncomingMessage;
}

/** One HTTP request and its answer, without retries. Rejects with ApiError, ConnectionError or SourceError. */
export interface Exchange {
  json(request: ExchangeRequest): Promise<{ value: unknown; headers: IncomingHttpHeaders }>;
  /** The answer's body stays to be read by the caller. */
  stream(request: ExchangeRequest): Promise<Answer>;
  close(): void;
}

export function createExchange(settings: ExchangeSettings): Exchange {
  const base = readServerUrl(settings.url);
  const secure = base.protocol === 'https:';
  const pool = {
    keepAlive: true,
    maxSockets: settings.connectionsMax,
    maxFreeSockets: settings.connectionsMax,
  };
  const agent = secure ? new AgentTls(pool) : new Agent(pool);
  const prefix = base.pathname.replace(/\/$/, '');
  const memory = createConsistencyMemory();

  function start(call: ExchangeRequest): Promise<Answer> {
    const { promise, resolve, reject } = withResolvers<Answer>();
    // One signal may end any number of calls, and each listens to it.
    if (call.signal instanceof EventTarget) setMaxListeners(0, call.signal);
    const request = (secure ? requestTls : requestPlain)(base, {
      method: call.method,
      path: prefix + call.path,
      headers: headersOf(settings, call),
      // Uploads too: told that the connection stays, a server that refuses one in its midst reads on until the
      // answer has arrived; one that closes resets the connection, and the answer is lost with it.
      agent,
      ...(call.signal === undefined ? {} : { signal: call.signal }),
    });
    let connected = false;
    request.once('socket', (socket) => {
      if (!socket.connecting) connected = true;
      else socket.once(secure ? 'secureConnect' : 'connect', () => (connected = true));
    });
    request.setTimeout(settings.silenceMs, () => {
      request.destroy(new ConnectionError('broken', `no byte moved for ${settings.silenceMs / 1_000} s`));
    });
    request.once('response', (body) => {
      // A server that refuses an upload answers before it has read everything: stop sending, hang up.
      if (isStream(call.body) && (body.statusCode ?? 0) >= 400) {
        call.body.destroy();
        body.once('close', () => request.destroy());
      }
      resolve({ status: body.statusCode ?? 0, headers: body.headers, body });
    });
    request.on('error', (error) =>
      reject(asConnectionError(error, { connected, signal: call.signal, url: base })),
    );
    sendBody(request, call.body, reject);
    return promise;
  }

  /** What was written is seen by the reads that follow, also where a replica answers them. */
  async function carryingConsistency(call: ExchangeRequest): Promise<Answer> {
    if (call.method === 'GET') {
      const token = memory.token();
      const headers = { ...call.headers, ...(token !== undefined && { [consistencyHeader]: token }) };
      return await start({ ...call, headers });
    }
    const ended = memory.beginWrite();
    try {
      const { status, headers, body } = await start(call);
      const token = headers[consistencyHeader];
      // A refusal without one wrote nothing; what stands between may have lost the answer of a server.
      if (token !== undefined || status >= 500) ended(String(token ?? 'unknown'));
      return { status, headers, body };
    } catch (error) {
      if (!(error instanceof ConnectionError && error.kind === 'unreachable')) ended('unknown');
      throw error;
    }
  }

  async function stream(call: ExchangeRequest): Promise<Answer> {
    const answer = await carryingConsistency(call);
    if (answer.status < 400 && answer.status >= 200) return answer;
    const text = await readText(answer.body, call.signal);
    const retryAfter = answer.headers['retry-after'];
    const retryAfterMs = retryAfter === undefined ? undefined : parseRetryAfter(retryAfter, Date.now());
    const requestId = answer.headers['request-id'];
    throw new ApiError(readProblem(answer.status, text), {
      ...(retryAfterMs !== undefined && { retryAfterMs }),
      ...(typeof requestId === 'string' && { requestId }),
    });
  }

  return {
    stream,
    async json(call) {
      const answer = await stream(call);
      const text = await readText(answer.body, call.signal);
      return { value: parseAnswer(text, call), headers: answer.headers };
    },
    close: () => agent.destroy(),
  };
}

function headersOf(
  { key, account, userAgent }: ExchangeSettings,
  { headers, body }: ExchangeRequest,
): Record<string, string> {
  return {
    accept: 'application/json',
    'user-agent': userAgent,
    ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    ...(account === undefined ? {} : { 'millrace-account': account }),
    ...(Buffer.isBuffer(body) ? { 'content-length': String(body.length) } : {}),
    ...headers,
  };
}

function sendBody(
  request: ReturnType<typeof requestPlain>,
  body: Buffer | Readable | undefined,
  reject: (error: Error) => void,
): void {
  if (!isStream(body)) {
    request.end(body);
    return;
  }
  body.once('error', (error) => {
    const fault = error instanceof SourceError ? error : new SourceError(error.message, { cause: error });
    reject(fault);
    request.destroy(fault);
  });
  request.once('close', () => body.destroy());
  body.pipe(request);
}

function isStream(body: Buffer | Readable | undefined): body is Readable {
  return body !== undefined && !Buffer.isBuffer(body);
}

async function readText(body: IncomingMessage, signal: AbortSignal | undefined): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of body as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes > answerBytesMax)
        throw new ConnectionError('protocol', `the answer is longer than ${answerBytesMax} bytes`);
      parts.push(part);
    }
  } catch (error) {
    throw asConnectionError(error, { connected: true, signal });
  }
  return Buffer.concat(parts, bytes).toString('utf8');
}

function parseAnswer(text: string, { method, path }: ExchangeRequest): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ConnectionError('protocol', `${method} ${path} was answered with something other than JSON`, {
      cause: error,
    });
  }
}

interface Circumstances {
  connected: boolean;
  signal: AbortSignal | undefined;
  url?: URL;
}

/** An abort keeps its reason; what happened on the wire becomes a ConnectionError. */
export function asConnectionError(error: unknown, { connected, signal, url }: Circumstances): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof ConnectionError || error instanceof SourceError) return error;
  const reason =
    error instanceof Error ? (error as NodeJS.ErrnoException).code || error.message : String(error);
  if (connected) return new ConnectionError('broken', `the connection broke (${reason})`, { cause: error });
  return new ConnectionError('unreachable', `no connection to ${url?.origin ?? 'the server'} (${reason})`, {
    cause: error,
  });
}

/** Promise.withResolvers, which Node 20 does not have. */
function withResolvers<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((resolved, rejected) => {
    resolve = resolved;
    reject = rejected;
  });
  return { promise, resolve, reject };
}
