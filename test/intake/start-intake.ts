import http from 'node:http';
import type { PendingHint } from '../../src/intake/hints.ts';
import { createIntake } from '../../src/intake/intake.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { decodeChunk, splitFrame } from '../../src/message/chunk-codec.ts';
import { type Database, openDatabase, type Queryable } from '../../src/store/database.ts';
import { createIdMint } from '../../src/store/id-mint.ts';
import { partitionRange } from '../../src/store/partitions.ts';
import { startApi, type TestApi } from '../api/start-api.ts';
import { createTestDatabase } from '../support/postgres.ts';

export interface TestIntake extends TestApi {
  database: Database;
  hints: PendingHint[];
  /** Batches of which deliveries were told that they begin. */
  released: string[];
}

/**
 * The API with intake on a database of its own; a route `r` is there. Nothing is delivered. `wayTo` may lead to the
 * database by a way of its own.
 */
export async function startIntake({
  wayTo = async (url) => url,
}: {
  wayTo?: (url: string) => Promise<string>;
} = {}): Promise<TestIntake> {
  const url = await wayTo((await createTestDatabase()).url);
  const database = openDatabase({ url, poolSize: 6, name: 'intake test' });
  const range = await partitionRange(database);
  const api = await startApi({ databaseUrl: url });
  const hints: PendingHint[] = [];
  const released: string[] = [];
  const intake = createIntake({
    database,
    clock: systemClock,
    mint: createIdMint({ nowMs: Date.now, range: () => range }),
    nowMs: Date.now,
    connections: 6,
    retentionDays: 56,
    control: api.context.control,
    hints: { push: (some) => void hints.push(...some), released: (batch) => void released.push(batch) },
    metrics: api.context.metrics,
  });
  api.context.intake = intake;
  await api.call('PUT', '/v1/routes/r', {
    body: { connector: 'http', url: 'http://127.0.0.1:9/', allowPrivate: true },
  });
  return {
    ...api,
    database,
    hints,
    released,
    async stop() {
      await intake.stop();
      await api.stop();
      await database.close();
    },
  };
}

/** The messages that are stored, as chunks hold them, in order of line. */
export async function storedMessages(
  database: Queryable,
  batch?: string,
): Promise<Record<string, unknown>[]> {
  const { rows } = await database.query<{ codec: number; payload: Buffer; count: number }>(
    {
      name: '',
      text: `SELECT codec, payload, count FROM chunk WHERE $1::uuid IS NULL OR batch = $1 ORDER BY first_line, id`,
    },
    [batch ?? null],
  );
  return rows.flatMap(({ codec, payload, count }) => {
    const lines = splitFrame(decodeChunk(codec, payload));
    if (lines.length !== count) throw new Error(`a chunk of ${count} messages holds ${lines.length}`);
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  });
}

/** The numbers 0 to count-1 as messages whose `ref` is the number. */
export function numbered(count: number, from = 0): string {
  return Array.from(
    { length: count },
    (_, index) => `{"to":"+3161${String(1_000_000 + from + index)}","ref":"${from + index}"}\n`,
  ).join('');
}

export interface CutUpload {
  /** Sends a piece; resolves when it was handed to the network. */
  write(piece: string | Buffer): Promise<void>;
  /** Ends the body and resolves to the answer. */
  end(): Promise<{ status: number; json: Record<string, unknown> }>;
  /** Resolves to an answer that comes before the body's end. */
  answer: Promise<{ status: number; json: Record<string, unknown> }>;
  /** Breaks the connection; resolves when the socket is closed. */
  cut(): Promise<void>;
}

/** An upload that the test sends piece by piece. */
export function openUpload(
  api: TestApi,
  { path, headers = {} }: { path: string; headers?: Record<string, string> },
): CutUpload {
  const request = http.request(api.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${api.adminKey}`, 'content-type': 'application/x-ndjson', ...headers },
  });
  const answer = new Promise<{ status: number; json: Record<string, unknown> }>((resolve, reject) => {
    request.on('error', reject);
    request.on('response', async (response) => {
      const parts: Buffer[] = [];
      for await (const part of response) parts.push(part as Buffer);
      resolve({ status: response.statusCode!, json: JSON.parse(Buffer.concat(parts).toString()) });
    });
  });
  answer.catch(() => {});
  return {
    write: (piece) => new Promise((resolve) => request.write(piece, () => resolve())),
    end() {
      request.end();
      return answer;
    },
    answer,
    cut: () =>
      new Promise((resolve) => {
        request.on('close', resolve);
        request.destroy();
      }),
  };
}

/** Waits until a condition holds, as something outside of the test's control makes it so. */
export async function eventually(condition: () => Promise<boolean>, limitMs = 60_000): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('the condition did not come to hold in time');
    await systemClock.sleep(10);
  }
}
