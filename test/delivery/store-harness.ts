import { randomUUID } from 'node:crypto';
import type { DeliveryStore } from '../../src/delivery/delivery-store.ts';
import { uuidV7 } from '../../src/lib/uuid-v7.ts';
import { bitmapOf } from '../../src/message/bitmap.ts';
import { encodeChunk } from '../../src/message/chunk-codec.ts';
import { makeChunkId, shardOf } from '../../src/message/id.ts';
import { encodeOrdering } from '../../src/message/ordering.ts';
import { stateNumber } from '../../src/message/state.ts';
import type { SuppressionChannel } from '../../src/message/suppression.ts';
import type { TemplateVersion } from '../../src/message/templates/compile-template.ts';
import type { TemplatePins } from '../../src/message/templates/pins.ts';
import { openLists } from '../../src/store/control/suppression-lists.ts';
import { insertSuppressions } from '../../src/store/control/suppressions.ts';
import { insertTemplate } from '../../src/store/control/templates.ts';
import { type Database, openDatabase, type Queryable } from '../../src/store/database.ts';
import { cancelBatch, pauseBatch, resumeBatch } from '../../src/store/decisions/hold-batch.ts';
import { reopenBatch } from '../../src/store/decisions/reopen-batch.ts';
import { requestOfBatch, requestOfMessage } from '../../src/store/decisions/request-decision.ts';
import { deliveryStatements } from '../../src/store/delivery/delivery-statements.ts';
import { type ChunkRow, insertChunks } from '../../src/store/intake/insert-chunks.ts';
import { ModelClient } from '../simulation/model-client.ts';
import { acceptedCounter, type StoredPending, write } from '../simulation/model-database.ts';
import { type DecisionWrites, modelDecisions } from '../simulation/model-decisions.ts';
import { takePlace } from '../simulation/model-places.ts';
import { ModelServer } from '../simulation/model-server.ts';
import { modelStore } from '../simulation/model-store.ts';
import { suppress } from '../simulation/model-suppressions.ts';
import { Scheduler } from '../simulation/scheduler.ts';
import { seededRandom } from '../simulation/seeded-random.ts';
import { SimulatedProcess } from '../simulation/simulated-process.ts';
import { Trace } from '../simulation/trace.ts';
import { calm } from '../simulation/weather.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { insertBatch, insertChunk, newId, pendingCount, progressOf } from './mill.ts';

/** A store, and what its tests need beside it. */
export interface StoreHarness {
  store: DeliveryStore;
  /** What others write: operators, and a batch that is closed. */
  decisions: DecisionWrites;
  releaseBatch(batch: string): Promise<void>;
  /** Stores a chunk of `count` messages whose id is so old. */
  insertChunk(chunk: {
    shard: number;
    count?: number;
    batch?: string;
    ageMs?: number;
    routeId?: number;
    /** Hashes of its messages' ordering keys: it comes after those that were inserted before. */
    keys?: number[];
    templates?: TemplatePins;
    /** It waits for the closing of its batch. */
    awaitsClosing?: boolean;
  }): Promise<string>;
  /** Makes a template with one version; the answer is that. */
  insertTemplate(body: string): Promise<TemplateVersion>;
  insertBatch(accepted: number): Promise<string>;
  /** Adds these to a list, which is there from then on. */
  suppress(added: { accountId: number; channel: SuppressionChannel; hashes: string[] }): Promise<void>;
  progressOf(batch: string): Promise<Record<number, number>>;
  pendingCount(): Promise<number>;
  /** Matches receipts that say the same of messages of one chunk; the answer is the id of their row. */
  insertReceipt(receipt: {
    chunkId: string;
    offsets: number[];
    state: 'delivered' | 'failed';
  }): Promise<string>;
  /** What the batch was folded to when it was done. */
  countsOf(batch: string): Promise<Record<string, number> | undefined>;
  /** Takes the fence of a shard and keeps it; the answer ends that. */
  holdFence(shard: number, epoch: number): Promise<() => Promise<void>>;
  /** Stores a chunk with ordering keys in a transaction that goes on until `end` is called. */
  holdPlace(shard: number, keys: number[]): Promise<HeldPlace>;
  /** Resolves when some statement waits for a lock. */
  lockAwaited(): Promise<void>;
  close(): Promise<void>;
}

export interface HeldPlace {
  chunkId: string;
  end(as: 'commit' | 'rollback'): Promise<void>;
}

export async function postgresHarness(): Promise<StoreHarness> {
  const database = openDatabase({ url: (await createTestDatabase()).url, poolSize: 5, name: 'conformance' });
  return {
    store: deliveryStatements(database),
    decisions: postgresDecisions(database),
    async releaseBatch(batch) {
      const text = 'UPDATE batch SET released_at = now() WHERE shard = $1 AND id = $2';
      await database.query({ name: '', text }, [shardOf(batch), batch]);
    },
    insertChunk: ({ ageMs, ...chunk }) =>
      insertChunk(database, { ...chunk, ...(ageMs !== undefined && { unixMs: Date.now() - ageMs }) }),
    insertBatch: (accepted) => insertBatch(database, { accepted }),
    async insertTemplate(body) {
      const needs = { required: [], optional: [], asked: [] };
      const template = { ...{ accountId: 1, name: `t-${randomUUID()}`, channel: 'sms' as const } };
      const { id } = await insertTemplate(database, { ...template, texts: { body }, needs });
      const text = 'SELECT id FROM template_version WHERE template_id = $1';
      const { rows } = await database.query<{ id: number }>({ name: '', text }, [id]);
      const { name, channel } = template;
      return { id: rows[0]!.id, name, channel, version: 1, body };
    },
    suppress: ({ accountId, channel, hashes }) =>
      database.transaction(async (transaction) => {
        await openLists(transaction, { accountId, channels: [channel] });
        const none = { to: 'x', reason: null, ref: null };
        const entries = hashes.map((hash) => ({ hash, channel, ...none }));
        await insertSuppressions(transaction, { accountId, entries });
      }),
    progressOf: (batch) => progressOf(database, batch),
    pendingCount: () => pendingCount(database),
    insertReceipt: (receipt) => insertReceipt(database, receipt),
    async countsOf(batch) {
      const text = 'SELECT counts FROM batch WHERE id = $1';
      const { rows } = await database.query<{ counts: Record<string, number> | null }>({ name: '', text }, [
        batch,
      ]);
      return rows[0]?.counts ?? undefined;
    },
    holdFence: (shard, epoch) => holdFence(database, shard, epoch),
    holdPlace: (shard, keys) => holdPlace(database, shard, keys),
    async lockAwaited() {
      for (let waiting = 0; waiting === 0; ) {
        const { rows } = await database.query<{ waiting: number }>({
          name: '',
          text: `SELECT count(*)::int AS waiting FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        });
        waiting = rows[0]!.waiting;
      }
    },
    close: () => database.close(),
  };
}

/** As who matches receipts stores them. */
async function insertReceipt(
  database: Database,
  { chunkId, offsets, state }: Parameters<StoreHarness['insertReceipt']>[0],
): Promise<string> {
  const id = uuidV7(Date.now());
  await database.query(
    {
      name: '',
      text: `INSERT INTO matched_receipt (id, shard, chunk_id, state, renewal, offsets, error_code, details, at,
        received_at) VALUES ($1, $2, $3, $4, 0, $5, $6, $7, to_timestamp(5), to_timestamp(6))`,
    },
    [
      ...[id, shardOf(chunkId), chunkId, stateNumber[state], bitmapOf(Math.max(...offsets) + 1, offsets)],
      ...(state === 'failed' ? ['absent', ['No such number']] : [null, null]),
    ],
  );
  return id;
}

/** As the API composes them, for the account of the tests. */
function postgresDecisions(database: Database): DecisionWrites {
  const accountId = 1;
  return {
    pauseBatch: (batch) => pauseBatch(database, { batch, accountId }),
    resumeBatch: (batch) => resumeBatch(database, { batch, accountId }),
    cancelBatch: (batch) => cancelBatch(database, { batch, accountId }),
    requestOfMessage: (request) =>
      database.transaction(async (transaction) => {
        const { kind, batch } = request;
        const reopens = kind === 'replay' && batch !== null;
        if (reopens && !(await reopenBatch(transaction, { batch, accountId }))) return undefined;
        return requestOfMessage(transaction, request);
      }),
    requestOfBatch: (request) => requestOfBatch(database, { ...request, accountId }),
  };
}

/** Keeps the fence closed to claims until the answer is called. */
async function holdFence(database: Database, shard: number, epoch: number): Promise<() => Promise<void>> {
  const fence = 'SELECT 1 FROM shard_owner WHERE shard = $1 AND epoch = $2 FOR SHARE';
  const end = await held(database, (transaction) =>
    transaction.query({ name: '', text: fence }, [shard, epoch]),
  );
  return () => end('commit');
}

/** As intake stores it. */
async function holdPlace(database: Database, shard: number, keys: number[]): Promise<HeldPlace> {
  const id = newId(shard);
  const chunk: ChunkRow = {
    ...{ id, accountId: 1, routeId: 1, priority: 1, count: keys.length, timed: false, dueAt: null },
    ...encodeChunk(Buffer.from(Array(keys.length).fill('{"to":"+31612345678"}').join('\n'))),
    ...{ lookup: { hashes: [] }, ordering: encodeOrdering(keys) },
  };
  const end = await held(database, (transaction) =>
    insertChunks(transaction, { shard, batch: null, chunks: [chunk] }),
  );
  return { chunkId: id, end };
}

/** A transaction that has done its work and goes on until the answer is called. */
async function held(
  database: Database,
  work: (transaction: Queryable) => Promise<unknown>,
): Promise<HeldPlace['end']> {
  let release: (as: 'commit' | 'rollback') => void = () => {};
  const released = new Promise<'commit' | 'rollback'>((resolve) => {
    release = resolve;
  });
  const rollback = new Error('rolled back');
  let ended = Promise.resolve();
  await new Promise<void>((done, failed) => {
    ended = database.transaction(async (transaction) => {
      await work(transaction);
      done();
      if ((await released) === 'rollback') throw rollback;
    });
    ended.catch(failed);
  });
  return async (as) => {
    release(as);
    await ended.catch((error: unknown) => {
      if (error !== rollback) throw error;
    });
  };
}

/** Longer than a calm network takes for anything, shorter than anybody waits. */
const settleMs = 100;

export async function modelHarness(): Promise<StoreHarness> {
  const random = seededRandom(1);
  const trace = new Trace({ keepLines: false });
  const scheduler = new Scheduler(random, trace);
  const server = new ModelServer({ shards: 1_024, scheduler, random, trace, weather: calm });
  const { database } = server;
  const machine = { wallMs: 0, monotonicMs: 0, rate: 1, monotonicSteps: false };
  const client = new ModelClient(server, new SimulatedProcess({ name: 'test', scheduler, random, machine }));
  let running = Promise.resolve();
  const goOn = () => {
    running = running.then(() => scheduler.run({ endMs: scheduler.nowMs + settleMs, isDone: () => false }));
    return running;
  };
  const idOf = (shard: number, ageMs: number) =>
    makeChunkId({ unixMs: Math.floor(server.nowMs - ageMs), shard, random: random.bytes(8) });
  const holdOrdered = async (pending: Omit<StoredPending, 'ordered'>, keys: number[]): Promise<HeldPlace> => {
    const { chunkId, shard } = pending;
    const session = server.begin('intake');
    const ordered = await new Promise<number>((taken) => takePlace(database, session, { shard, taken }));
    const ordering = encodeOrdering(keys);
    write(session, () => database.insertPending({ ...pending, ordered, ordering }));
    return {
      chunkId,
      end: async (as) => (as === 'commit' ? database.commit(session) : database.abort(session)),
    };
  };
  return {
    store: driven(modelStore(client), goOn),
    decisions: driven(modelDecisions(client), goOn),
    async releaseBatch(batch) {
      database.batches.get(batch)!.releasedAtMs = server.nowMs;
    },
    async insertChunk({ shard, batch = null, ageMs = 0, routeId = 1, keys, ...more }) {
      const { count = keys?.length ?? 1, templates = null } = more;
      const chunkId = idOf(shard, ageMs);
      const key = { chunkId, shard, accountId: 1, routeId, priority: 1, count, batch };
      const payload = Buffer.from(Array(count).fill('{"to":"+31612345678"}').join('\n'));
      database.chunks.set(chunkId, { ...key, id: chunkId, codec: 0, payload, timed: false, templates });
      const dueAtMs = more.awaitsClosing ? Number.POSITIVE_INFINITY : server.nowMs;
      const pending = { ...key, remaining: null, dueAtMs };
      if (keys) await (await holdOrdered(pending, keys)).end('commit');
      else database.insertPending({ ...pending, ordered: null });
      return chunkId;
    },
    holdPlace(shard, keys) {
      const key = { chunkId: idOf(shard, 0), shard, accountId: 1, routeId: 1, priority: 1 };
      return holdOrdered({ ...key, count: keys.length, batch: null, remaining: null, dueAtMs: 0 }, keys);
    },
    async insertTemplate(body) {
      const id = database.templateVersions.length + 1;
      const version = { id, name: `t-${id}`, channel: 'sms' as const, version: 1, body };
      database.templateVersions.push(version);
      return version;
    },
    async insertBatch(accepted) {
      const id = idOf(7, 0);
      const none = { releasedAtMs: undefined, held: undefined, doneCounts: undefined, reopened: 0 };
      database.batches.set(id, { id, shard: shardOf(id), defaults: {}, closed: true, ...none });
      database.raise(id, acceptedCounter, accepted);
      return id;
    },
    async insertReceipt({ chunkId, offsets, state }) {
      const id = uuidV7(server.nowMs);
      const error = { errorCode: 'absent', details: ['No such number'] };
      const row = { id, shard: shardOf(chunkId), chunkId, state: stateNumber[state], renewal: 0 };
      const told = state === 'failed' ? error : { errorCode: null, details: null };
      const bitmap = bitmapOf(Math.max(...offsets) + 1, offsets);
      database.receipts.set(id, { ...row, ...told, offsets: bitmap, atMs: 5_000, receivedAtMs: 6_000 });
      return id;
    },
    suppress: async (added) => suppress(database, added),
    countsOf: async (batch) => database.batches.get(batch)?.doneCounts,
    progressOf: async (batch) => Object.fromEntries(database.progress.get(batch) ?? []),
    pendingCount: async () => database.pending.size,
    async holdFence(shard) {
      const session = server.begin('holder');
      database.locks.lock(session, { key: `shard ${shard}`, mode: 'share', granted: () => {} });
      return () => {
        database.commit(session);
        return goOn();
      };
    },
    async lockAwaited() {
      await goOn();
      if (!database.locks.contended) throw new Error('nobody waits for a lock');
    },
    close: async () => {},
  };
}

/** Each call sets simulated time going. */
function driven<Statements extends object>(statements: Statements, goOn: () => Promise<void>): Statements {
  return new Proxy(statements, {
    get: (target, name) => (argument: never) => {
      const statement = target[name as keyof Statements] as (argument: never) => unknown;
      const answer = statement(argument);
      void goOn();
      return answer;
    },
  });
}
