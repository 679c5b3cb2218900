import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../delivery/mill.ts';
import { createSite, type Site } from '../server/several.ts';
import { killProcesses, type MillraceProcess } from '../support/start-process.ts';

interface Attribute {
  key: string;
  value: { stringValue?: string; intValue?: string };
}

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: Attribute[];
  status: { code?: number };
  /** Of its resource. */
  instance: string;
}

interface LogRecord {
  traceId?: string;
  spanId?: string;
  timeUnixNano: string;
  severityText: string;
  body: { stringValue: string };
}

/** A collector: takes what the specification says, and refuses everything else. */
const collected = {
  spans: [] as Span[],
  logs: [] as LogRecord[],
  keys: new Set<unknown>(),
  bad: [] as string[],
};
let collector: Server;
let site: Site;
let server: MillraceProcess;

beforeAll(async () => {
  collector = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    request.on('end', () => {
      collected.keys.add(request.headers.authorization);
      try {
        take(request.url!, JSON.parse(text));
        response.end('{}');
      } catch (error) {
        collected.bad.push(String(error));
        response.statusCode = 400;
        response.end();
      }
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  site = await createSite();
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20collector',
    MILLRACE_BATCH_TRACE_RATIO: '0.1',
    MILLRACE_LOG_ATTEMPTS: 'true',
  };
  server = await site.startWith({ env }, '--processes', '2', '--log-level', 'info');
  // Port 1 is nobody's.
  const down = {
    connector: 'http',
    url: 'http://127.0.0.1:1/',
    allowPrivate: true,
    retry: { attemptsMax: 1 },
  };
  await site.put(server, '/v1/routes/down', down);
});

afterAll(async () => {
  await server?.stop();
  await site?.close();
  killProcesses();
  await new Promise((resolve) => collector.close(resolve));
});

// biome-ignore lint/suspicious/noExplicitAny: what comes in is judged here.
function take(path: string, body: any): void {
  if (path === '/v1/traces') {
    for (const { resource, scopeSpans } of body.resourceSpans) {
      const instance = attributeOf(resource.attributes, 'service.instance.id')!;
      if (attributeOf(resource.attributes, 'service.name') !== 'millrace') throw new Error('whose is it?');
      for (const { spans } of scopeSpans)
        for (const span of spans) collected.spans.push({ ...judged(span), instance });
    }
  } else if (path === '/v1/logs') {
    for (const { scopeLogs } of body.resourceLogs) {
      for (const { logRecords } of scopeLogs) collected.logs.push(...logRecords);
    }
  } else throw new Error(`there is no ${path}`);
}

function judged(span: Span): Span {
  if (!/^[0-9a-f]{32}$/.test(span.traceId) || !/^[0-9a-f]{16}$/.test(span.spanId)) throw new Error('bad id');
  if (!/^\d{19}$/.test(span.startTimeUnixNano)) throw new Error(`bad time ${span.startTimeUnixNano}`);
  if (BigInt(span.endTimeUnixNano) < BigInt(span.startTimeUnixNano)) throw new Error('ends before it begins');
  return span;
}

function attributeOf(attributes: Attribute[], key: string): string | undefined {
  const value = attributes.find((attribute) => attribute.key === key)?.value;
  return value?.stringValue ?? value?.intValue;
}

async function post(route: string): Promise<string> {
  const answer = await site.post(server, '/v1/messages', { to: '+31612345678', body: 'MarkedBody', route });
  return ((await answer.json()) as { messages: { id: string }[] }).messages[0]!.id;
}

const spansOf = (id: string) => collected.spans.filter(({ traceId }) => traceId === id.replaceAll('-', ''));

test('a message has one trace, whichever processes made its spans: accept, store, attempt, outcome', async () => {
  const id = await post('flood');
  await until(() => spansOf(id).length >= 4);
  const spans = Object.fromEntries(spansOf(id).map((span) => [span.name, span]));
  expect(Object.keys(spans).sort()).toEqual(['accept', 'attempt', 'outcome', 'store']);
  const { accept, store, attempt, outcome } = spans as Record<string, Span>;
  expect(accept!.parentSpanId).toBeUndefined();
  expect(store!.parentSpanId).toBe(accept!.spanId);
  expect(attempt!.parentSpanId).toBe(accept!.spanId);
  expect(outcome!.parentSpanId).toBe(attempt!.spanId);
  expect(attempt!.kind).toBe(3);
  expect(attempt!.instance).not.toBe(accept!.instance);
  expect(attributeOf(attempt!.attributes, 'millrace.message.id')).toBe(id);
  expect(attributeOf(outcome!.attributes, 'millrace.state')).toBe('sent');
  await until(() => collected.logs.some(({ spanId }) => spanId === attempt!.spanId));
  const line = collected.logs.find(({ spanId }) => spanId === attempt!.spanId)!;
  expect(line).toMatchObject({
    traceId: attempt!.traceId,
    severityText: 'INFO',
    body: { stringValue: 'attempt' },
  });
});

test('a span of an attempt that failed says so, with its code', async () => {
  const id = await post('down');
  await until(() => spansOf(id).some(({ name }) => name === 'outcome'));
  const attempt = spansOf(id).find(({ name }) => name === 'attempt')!;
  expect(attempt.status).toEqual({ code: 2, message: 'connection_refused' });
});

test('of a batch as many messages are traced as is wished for, and each of them whole', async () => {
  await site.flood(server, 2_000);
  await until(async () => (await site.ledger()).distinct >= 2_001);
  const ofBatch = () =>
    collected.spans.filter(({ attributes }) => attributeOf(attributes, 'millrace.batch.id') !== undefined);
  const traces = (name: string) =>
    ofBatch()
      .flatMap((span) => (span.name === name ? [span.traceId] : []))
      .sort();
  await until(() => traces('outcome').length > 0 && traces('outcome').length === traces('accept').length);
  expect(traces('accept').length).toBeGreaterThan(120);
  expect(traces('accept').length).toBeLessThan(290);
  expect(traces('attempt')).toEqual(traces('accept'));
  expect(traces('outcome')).toEqual(traces('accept'));
});

test('the collector gets its header, and nothing of what messages say or to whom', () => {
  expect([...collected.keys]).toEqual(['Bearer collector']);
  expect(collected.bad).toEqual([]);
  const all = JSON.stringify([collected.spans, collected.logs]);
  for (const secret of ['MarkedBody', '31612345678', site.key, 'Bearer']) expect(all).not.toContain(secret);
});
