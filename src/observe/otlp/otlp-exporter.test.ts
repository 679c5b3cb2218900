import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import { TraceSampling } from './message-trace.ts';
import { OtlpExporter } from './otlp-exporter.ts';

const span = {
  ...{ traceId: '0'.repeat(32), spanId: '0'.repeat(16), name: 'attempt', kind: 'internal' as const },
  ...{ startMs: 1, endMs: 2, attributes: {} },
};

test('a collector that does not answer costs spans, which are counted, and neither time nor memory', async () => {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const exporter = new OtlpExporter({
    ...{ endpoint: `http://127.0.0.1:${port}/`, headers: {}, resource: {}, onError: () => {} },
    clock: { ...systemClock, sleep: async () => {} },
  });
  for (let count = 0; count < 50_000; count++) exporter.span(span);
  // A request's worth of them is on its way.
  expect(exporter.takeDropped()).toBe(50_000 - 10_000 - 1_000);
  await exporter.close();
  silent.closeAllConnections();
  await new Promise((resolve) => silent.close(resolve));
});

test('a collector that refuses costs what it was sent, told with the status', async () => {
  let asked = 0;
  const refusing = createServer((request, response) => {
    asked++;
    request.resume().on('end', () => {
      response.statusCode = 503;
      response.end();
    });
  });
  await new Promise<void>((resolve) => refusing.listen(0, '127.0.0.1', resolve));
  const { port } = refusing.address() as AddressInfo;
  const errors: unknown[] = [];
  const exporter = new OtlpExporter({
    ...{ endpoint: `http://127.0.0.1:${port}`, headers: {}, resource: {}, clock: systemClock },
    onError: (error) => errors.push(error),
  });
  exporter.span(span);
  await exporter.close();
  expect(asked).toBe(2);
  expect(errors.map((error) => (error as Error).message)).toEqual([
    'the OTLP collector answered 503 to traces',
  ]);
  expect(exporter.takeDropped()).toBe(1);
  await new Promise((resolve) => refusing.close(resolve));
});

test('every process picks the same messages, as many as are wished for', () => {
  const ids = Array.from(
    { length: 1_000 },
    (_, n) => `018f0000-0000-7000-8000-0000000${n.toString(16).padStart(5, '0')}`,
  );
  const tenth = new TraceSampling({ singles: 0, batches: 0.1 });
  const picked = ids.filter((id) => tenth.isTraced(id, true));
  expect(picked.length).toBeGreaterThan(60);
  expect(picked.length).toBeLessThan(140);
  expect(ids.filter((id) => new TraceSampling({ singles: 1, batches: 0.1 }).isTraced(id, true))).toEqual(
    picked,
  );
  expect(ids.filter((id) => tenth.isTraced(id, false))).toEqual([]);
  expect(ids.filter((id) => new TraceSampling({ singles: 1, batches: 0 }).isTraced(id, false))).toEqual(ids);
});
