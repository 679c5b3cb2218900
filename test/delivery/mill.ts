import { randomFillSync } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer, Connector, OutgoingMessage, Sender } from '../../src/connectors/connector.ts';
import { DeliveryWorker, type DeliveryWorkerSettings } from '../../src/delivery/delivery-worker.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { encodeChunk, markedCodec } from '../../src/message/chunk-codec.ts';
import { makeChunkId, shardOf } from '../../src/message/id.ts';
import { encodeOrdering } from '../../src/message/ordering.ts';
import { breakerDefaults, type Route, retryDefaults } from '../../src/message/route.ts';
import { type Database, openDatabase, type Queryable } from '../../src/store/database.ts';
import { deliveryStatements } from '../../src/store/delivery/delivery-statements.ts';
import { notBegun } from './connecting.ts';

/** What one message got from the provider in a test. */
export type Respond = (message: OutgoingMessage) => Answer | Promise<Answer>;

export interface Mill {
  database: Database;
  routes: Map<number, Route>;
  weights: Map<number, number>;
  accountLimits: Map<number, { ratePerSecond?: number }>;
  /** Every message handed over, in order. */
  received: OutgoingMessage[];
  errors: unknown[];
  respond: Respond;
  /** What becomes of a message that a test key has sent. */
  rehearse: Sender['rehearse'];
  /** A worker that is stopped at the end of the test, if not before. */
  worker(settings?: Partial<DeliveryWorkerSettings>): DeliveryWorker;
  changeControl(): void;
  close(): Promise<void>;
}

export const testRoute: Route = {
  id: 1,
  name: 'test',
  connector: 'test',
  options: {},
  concurrency: 16,
  retry: { ...retryDefaults, backoffMinMs: 1, backoffMaxMs: 20 },
  breaker: breakerDefaults,
  onUncertain: 'resend',
  paused: false,
  version: 1,
  createdAt: new Date(0),
  updatedAt: new Date(0),
  deleted: false,
};

/** Workers on a real database, before a provider that is a function of the test. */
export function createMill(url: string, { batchMax = 1, poolSize = 8 } = {}): Mill {
  const database = openDatabase({ url, poolSize, name: 'delivery test' });
  const workers: DeliveryWorker[] = [];
  const listeners = new Set<() => void>();
  const connector: Connector = {
    name: 'test',
    onUncertainDefault: 'resend',
    optionSchemas: {},
    check: () => [],
    open: () => ({
      batchMax,
      async send(messages, { mayBegin }) {
        if (!mayBegin()) return messages.map(() => notBegun);
        mill.received.push(...messages);
        return Promise.all(messages.map((message) => mill.respond(message)));
      },
      rehearse: (message) => mill.rehearse(message),
      close: async () => {},
    }),
  };
  const mill: Mill = {
    database,
    routes: new Map([[testRoute.id, testRoute]]),
    weights: new Map(),
    accountLimits: new Map(),
    received: [],
    errors: [],
    respond: () => ({ kind: 'sent' }),
    rehearse: () => ({ kind: 'sent' }),
    worker(settings = {}) {
      const worker = new DeliveryWorker({
        store: deliveryStatements(database),
        control: {
          routeById: (id) => mill.routes.get(id),
          accountById: (id) => ({
            weight: mill.weights.get(id) ?? 1,
            limits: mill.accountLimits.get(id) ?? {},
          }),
          webhookOf: () => undefined,
          signingKeyOf: () => undefined,
          catchUp: async () => true,
          refresh: async () => {},
          onChange(listener) {
            listeners.add(listener);
            return () => listeners.delete(listener);
          },
        },
        connectors: new Map([['test', connector]]),
        clock: systemClock,
        onError: (error) => mill.errors.push(error),
        flushEveryMs: 5,
        ...settings,
      });
      workers.push(worker);
      return worker;
    },
    changeControl() {
      for (const listener of listeners) listener();
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.stop({ deadlineMs: 5_000 })));
      await database.close();
    },
  };
  return mill;
}

export interface TestChunk {
  shard?: number;
  accountId?: number;
  routeId?: number;
  priority?: number;
  count?: number;
  lines?: string[];
  batch?: string | null;
  unixMs?: number;
  dueInMs?: number;
  timed?: boolean;
  /** Hashes of its messages' ordering keys. */
  keys?: number[] | undefined;
  /** Versions of templates by the names that its lines have. */
  templates?: Record<string, number>;
  /** It waits for the closing of its batch. */
  awaitsClosing?: boolean;
  /** A test key has sent it. */
  test?: boolean;
}

export function newId(shard: number, unixMs = Date.now()): string {
  return makeChunkId({ unixMs, shard, random: randomFillSync(new Uint8Array(8)) });
}

/** Stores a chunk as intake does, and gives its id. */
export async function insertChunk(database: Database, chunk: TestChunk = {}): Promise<string> {
  const { shard = Math.floor(Math.random() * 1_024), accountId = 1, routeId = 1, priority = 1 } = chunk;
  const lines =
    chunk.lines ??
    Array.from(
      { length: chunk.keys?.length ?? chunk.count ?? 1 },
      (_, n) => `{"to":"+3161234${1_000 + n}","body":"hi"}`,
    );
  const id = newId(shard, chunk.unixMs);
  const { test = false, templates } = chunk;
  const encoded = encodeChunk(Buffer.from(lines.join('\n')));
  const codec = markedCodec(encoded.codec, { templated: templates !== undefined, test });
  const { payload } = encoded;
  await database.transaction(async (transaction) => {
    await transaction.query(
      {
        name: 'test_chunk',
        text: `INSERT INTO chunk (shard, id, account_id, route_id, priority, count, codec, batch, payload, timed, templates)
          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
      },
      [
        shard,
        id,
        accountId,
        routeId,
        priority,
        lines.length,
        codec,
        chunk.batch ?? null,
        payload,
        chunk.timed ?? false,
        chunk.templates ? JSON.stringify(chunk.templates) : null,
      ],
    );
    await transaction.query(
      {
        name: 'test_pending',
        text: `INSERT INTO pending (shard, chunk_id, account_id, route_id, priority, count, batch, due_at)
          VALUES ($1, $2, $3, $4, $5, $6, $7,
            CASE WHEN $9 THEN 'infinity' ELSE now() + $8::float8 * interval '1 millisecond' END)`,
      },
      [
        ...[shard, id, accountId, routeId, priority, lines.length, chunk.batch ?? null, chunk.dueInMs ?? 0],
        chunk.awaitsClosing ?? false,
      ],
    );
    if (chunk.keys) await takePlace(transaction, { shard, id, keys: chunk.keys });
    if (chunk.batch) await raiseAccepted(transaction, { batch: chunk.batch, shard, by: lines.length });
  });
  return id;
}

/** The chunk comes after those of its shard that took their places before. */
async function takePlace(
  transaction: Queryable,
  { shard, id, keys }: { shard: number; id: string; keys: readonly number[] },
): Promise<void> {
  const text = `INSERT INTO shard_order AS present (shard, last) VALUES ($1, 1)
    ON CONFLICT (shard) DO UPDATE SET last = present.last + 1 RETURNING last`;
  const { rows } = await transaction.query<{ last: string }>({ name: 'test_place', text }, [shard]);
  await transaction.query(
    {
      name: 'test_ordered',
      text: 'UPDATE pending SET ordered = $3, ordering = $4 WHERE shard = $1 AND chunk_id = $2',
    },
    [shard, id, rows[0]!.last, encodeOrdering(keys)],
  );
}

/** Intake counts messages on their chunk's shard; until then `insertBatch` has counted them on the batch's own. */
async function raiseAccepted(
  transaction: Queryable,
  { batch, shard, by }: { batch: string; shard: number; by: number },
): Promise<void> {
  for (const [at, delta] of [
    [shard, by],
    [shardOf(batch), -by],
  ]) {
    await transaction.query(
      {
        name: 'test_raise_accepted',
        text: `INSERT INTO batch_progress AS present (shard, batch, state, count) VALUES ($1, $2, 100, $3)
          ON CONFLICT (shard, batch, state) DO UPDATE SET count = present.count + excluded.count`,
      },
      [at, batch, delta],
    );
  }
}

/** A closed batch that accepted so many messages, whose chunks are to be inserted. */
export async function insertBatch(
  database: Database,
  batch: { accepted: number; defaults?: Record<string, unknown>; unixMs?: number },
): Promise<string> {
  const id = newId(Math.floor(Math.random() * 1_024), batch.unixMs);
  await database.query(
    {
      name: 'test_batch',
      text: `INSERT INTO batch (shard, id, account_id, route_id, priority, start_on, defaults, closed_at)
        VALUES ($1, $2, 1, 1, 1, 'now', $3, now())`,
    },
    [shardOf(id), id, JSON.stringify(batch.defaults ?? {})],
  );
  await database.query(
    {
      name: 'test_accepted',
      text: 'INSERT INTO batch_progress (shard, batch, state, count) VALUES ($1, $2, 100, $3)',
    },
    [shardOf(id), id, batch.accepted],
  );
  return id;
}

export async function pendingCount(database: Database): Promise<number> {
  const { rows } = await database.query<{ count: number }>({
    name: 'test_pending_count',
    text: 'SELECT count(*)::int AS count FROM pending',
  });
  return rows[0]!.count;
}

/** Counters of a batch by state number. */
export async function progressOf(database: Database, batch: string): Promise<Record<number, number>> {
  const { rows } = await database.query<{ state: number; count: number }>(
    {
      name: 'test_progress',
      text: 'SELECT state, sum(count)::int AS count FROM batch_progress WHERE batch = $1 GROUP BY state',
    },
    [batch],
  );
  return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
}

/** Resolves when the condition holds; fails after a while that no healthy run needs. */
export async function until(condition: () => boolean | Promise<boolean>, withinMs = 60_000): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`not within ${withinMs} ms: ${condition}`);
    await sleep(5);
  }
}
