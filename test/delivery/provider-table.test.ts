import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { httpConnector } from '../../src/connectors/http/http-connector.ts';
import type { OnUncertain } from '../../src/message/route.ts';
import { stateName } from '../../src/message/state.ts';
import {
  answerWith,
  batchResults,
  httpAnswer,
  type Script,
  type ScriptedProvider,
  startProvider,
} from '../connectors/scripted-provider.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createMill, insertChunk, type Mill, pendingCount, testRoute, until } from './mill.ts';

interface Row {
  /** What the provider does with the first request; it takes every later one. */
  provider: string;
  script?: Script;
  onConnection?: (socket: Socket, n: number) => void;
  /** Options of the route beside its URL. */
  options?: Record<string, unknown>;
  /** In the place of the scripted provider's. */
  url?: (provider: ScriptedProvider) => string;
  /** The first attempt's state and code under `resend`, and under `hold` where that differs. */
  resend: string;
  hold?: string;
  /** What became of the message in the end, and after how many attempts, where the second was not taken. */
  end?: [string, number];
  /** The second attempt comes this long after the first at the earliest, when the provider asks for more than the backoff. */
  notBeforeMs?: number;
}

const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1_000).toUTCString();
const hangTimeoutMs = 2_000;
/** What chance makes of the backoff here, between the first attempt and the second. */
const backoffMs = 400;
const backoffChance = 0.5;
/** Timers are rounded to it. */
const timerMs = 2;

const table: Row[] = [
  {
    provider: 'hangs',
    script: () => {},
    options: { timeoutMs: hangTimeoutMs },
    resend: 'retrying provider_timeout',
    hold: 'uncertain provider_timeout',
  },
  {
    provider: 'resets the connection before it read anything',
    onConnection: (socket, n) => void (n === 1 && socket.resetAndDestroy()),
    resend: 'retrying connection_failed',
  },
  {
    provider: 'resets amid the handshake',
    onConnection: (socket) => void socket.once('data', () => socket.resetAndDestroy()),
    url: ({ url }) => url.replace('http:', 'https:'),
    resend: 'retrying connection_failed',
    end: ['failed', 2],
  },
  {
    provider: 'resets when the first bytes of the request come',
    onConnection: (socket, n) => void (n === 1 && socket.once('data', () => socket.resetAndDestroy())),
    resend: 'retrying connection_lost',
    hold: 'uncertain connection_lost',
  },
  {
    provider: 'resets after the request was read',
    script: (socket) => socket.resetAndDestroy(),
    resend: 'retrying connection_lost',
    hold: 'uncertain connection_lost',
  },
  {
    provider: 'is slow with the first byte, and in time',
    script: (...request) => void setTimeout(() => answerWith(200, '{}')(...request), 200),
    resend: 'sent',
  },
  { provider: 'answers 429', script: answerWith(429, ''), resend: 'retrying rate_limited' },
  {
    provider: 'answers 429 with seconds',
    script: answerWith(429, '', { 'retry-after': '1' }),
    resend: 'retrying rate_limited',
    notBeforeMs: 1_000,
  },
  {
    provider: 'answers 429 with a date',
    // A date has whole seconds: two of them are more than one from now.
    script: (...request) => answerWith(429, '', { 'retry-after': inSeconds(2) })(...request),
    resend: 'retrying rate_limited',
    notBeforeMs: 1_000,
  },
  {
    provider: 'answers 500',
    script: answerWith(500, ''),
    resend: 'retrying provider_error',
    hold: 'uncertain provider_error',
  },
  { provider: 'answers 503', script: answerWith(503, ''), resend: 'retrying provider_unavailable' },
  {
    provider: 'answers 503 with seconds',
    script: answerWith(503, '', { 'retry-after': '1' }),
    resend: 'retrying provider_unavailable',
    notBeforeMs: 1_000,
  },
  {
    provider: 'answers what is no HTTP',
    script: (socket) => socket.write('hello\r\n\r\n'),
    resend: 'retrying response_malformed',
    hold: 'uncertain response_malformed',
  },
  {
    provider: 'answers a batch with text',
    script: answerWith(200, 'queued!'),
    options: { batch: { max: 10 } },
    resend: 'retrying response_malformed',
    hold: 'uncertain response_malformed',
    end: ['sent', 2],
  },
  {
    provider: 'answers with more than any answer should be',
    script: (socket) => socket.write(`HTTP/1.1 200 X\r\nx: ${'y'.repeat(64_000)}`),
    resend: 'retrying response_too_large',
    hold: 'uncertain response_too_large',
  },
  {
    provider: 'takes a message with a body larger than is read',
    script: answerWith(200, ' '.repeat(2 * 1_048_576)),
    resend: 'sent',
  },
  {
    provider: 'takes a batch with results larger than are read',
    script: answerWith(200, ' '.repeat(2 * 1_048_576)),
    options: { batch: { max: 10 } },
    resend: 'retrying response_too_large',
    hold: 'uncertain response_too_large',
  },
  { provider: 'refuses for good', script: answerWith(400, ''), resend: 'failed provider_rejected' },
  {
    provider: 'does not accept the credentials',
    script: answerWith(401, ''),
    resend: 'retrying credentials_refused',
  },
  {
    provider: 'speaks no TLS',
    onConnection: (socket) => void socket.end('not a handshake'),
    url: ({ url }) => url.replace('http:', 'https:'),
    resend: 'retrying tls_failure',
    end: ['failed', 2],
  },
  {
    provider: 'has a name that does not resolve',
    url: () => 'http://no-such-host.invalid/',
    resend: 'retrying dns_failure',
    end: ['failed', 2],
  },
  {
    provider: 'refuses the connection',
    url: () => 'http://127.0.0.1:1/',
    resend: 'retrying connection_refused',
    end: ['failed', 2],
  },
];

interface Outcome {
  state: string;
  attempt: number;
  code: string | null;
  atMs: number;
}

const policies: OnUncertain[] = ['resend', 'hold'];
const providers: ScriptedProvider[] = [];
let mill: Mill;
/** By row and policy: what is recorded of the one message, marks left out. */
const outcomes = new Map<string, Outcome[]>();
/** When the provider of a row had read each request. */
const arrivals = new Map<string, number[]>();

beforeAll(async () => {
  mill = createMill((await createTestDatabase()).url);
  const chunks = new Map<string, string>();
  for (const onUncertain of policies) {
    for (const row of table) {
      const routeId = mill.routes.size + 1;
      const key = `${row.provider} ${onUncertain}`;
      const url = await urlOf(row, key);
      const backoffMaxMs = backoffMs / backoffChance;
      mill.routes.set(routeId, {
        ...testRoute,
        ...{ id: routeId, name: `r${routeId}`, connector: 'http', onUncertain },
        options: { url, allowPrivate: true, ...row.options },
        retry: { ...testRoute.retry, attemptsMax: 2, backoffMinMs: backoffMaxMs, backoffMaxMs },
      });
      chunks.set(key, await insertChunk(mill.database, { routeId }));
    }
  }
  mill.worker({ connectors: new Map([['http', httpConnector]]), random: () => backoffChance }).start();
  await until(async () => (await pendingCount(mill.database)) === 0);
  for (const [key, chunkId] of chunks) outcomes.set(key, await outcomesOf(chunkId));
});

afterAll(async () => {
  await mill.close();
  for (const provider of providers) await provider.stop();
});

async function urlOf(row: Row, key: string): Promise<string> {
  const { script = answerWith(200, '{}'), onConnection = () => {}, url } = row;
  const readAtMs: number[] = [];
  arrivals.set(key, readAtMs);
  let connections = 0;
  const provider = await startProvider(
    (socket, request, n) => {
      readAtMs.push(performance.now());
      (n === 1 ? script : takeAll)(socket, request, n);
    },
    (socket) => onConnection(socket, ++connections),
  );
  providers.push(provider);
  return url?.(provider) ?? provider.url;
}

/** Takes one message, or all of a batch. */
const takeAll: Script = (socket, request) => {
  const isBatch = 'messages' in JSON.parse(request.body);
  socket.write(httpAnswer(200, isBatch ? batchResults(request) : '{}'));
};

async function outcomesOf(chunkId: string): Promise<Outcome[]> {
  const { rows } = await mill.database.query<{
    state: number;
    attempt: number;
    code: string | null;
    at: Date;
  }>(
    {
      name: 'test_table_outcomes',
      text: `SELECT state, attempt, error_code AS code, at FROM outcome
        WHERE chunk_id = $1 AND state <> 1 ORDER BY seq`,
    },
    [chunkId],
  );
  return rows.map(({ state, attempt, code, at }) => ({
    state: stateName(state),
    attempt,
    code,
    atMs: at.getTime(),
  }));
}

describe.each(policies)('under %s, a provider that', (onUncertain) => {
  test.each(table)('$provider', (row) => {
    const recorded = outcomes.get(`${row.provider} ${onUncertain}`)!;
    const [first, last] = [recorded[0]!, recorded.at(-1)!];
    const expected = onUncertain === 'hold' ? (row.hold ?? row.resend) : row.resend;
    expect([first.state, first.code].filter((part) => part !== null).join(' ')).toBe(expected);
    expect(first.attempt).toBe(1);
    if (!expected.startsWith('retrying')) {
      expect(recorded).toHaveLength(1);
      return;
    }
    expect([last.state, last.attempt]).toEqual(row.end ?? ['sent', 2]);
    expect(recorded).toHaveLength(2);
    const soonestMs = (row.notBeforeMs ?? backoffMs) - timerMs;
    const [readMs, againMs] = arrivals.get(`${row.provider} ${onUncertain}`)!;
    if (readMs !== undefined && againMs !== undefined) {
      expect(againMs - readMs).toBeGreaterThanOrEqual(soonestMs);
    }
    // `at` is told from the moment of the flush, which a busy machine delays.
    expect(last.atMs - first.atMs).toBeGreaterThanOrEqual(soonestMs / 2);
  });
});
