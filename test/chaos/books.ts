import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { inBitmap } from '../../src/message/bitmap.ts';
import { decodeChunk, splitFrame } from '../../src/message/chunk-codec.ts';
import { chunkIdOf, messageIdAt, parseId } from '../../src/message/id.ts';
import { stateNumber } from '../../src/message/state.ts';
import type { MarkTimes } from './explain.ts';

/** One message as the database has it. */
export interface StoredMessage {
  id: string;
  ref: string;
  state: number;
}

/** Longer than any recovery after a crash takes here. */
const databaseBackMs = 120_000;
const pollMs = 50;
/** Chunks read at a time. */
const chunksPerRead = 500;

interface OutcomeRow {
  chunk_id: string;
  state: number;
  offsets: Buffer | null;
  count: number;
  at: Date;
}

/**
 * What the database says, asked in SQL past Millrace and its counters. While the database is away, a question waits for
 * its return.
 */
export class Books {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** Resolves when the database takes writes. */
  async databaseIsBack(): Promise<void> {
    await this.#ask('CREATE TEMPORARY TABLE chaos_probe (n integer)');
  }

  /** The shards that a process owned when it was last registered as a worker. */
  async shardsOf(pid: number): Promise<Set<number>> {
    const rows = await this.#ask<{ shard: number }>(
      'SELECT shard FROM shard_owner JOIN worker ON worker.id = shard_owner.worker WHERE worker.pid = $1',
      [pid],
    );
    return new Set(rows.map(({ shard }) => shard));
  }

  /** Resolves when what came from these ports is executed: a server goes on with what a dead client sent. */
  async atRest(ports: readonly number[]): Promise<void> {
    const deadline = performance.now() + databaseBackMs;
    for (;;) {
      const rows = await this.#ask(
        `SELECT FROM pg_stat_activity WHERE client_port = ANY($1::integer[]) AND state = 'active'`,
        [ports],
      );
      if (rows.length === 0) return;
      if (performance.now() > deadline) throw new Error('a statement of a dead process does not end');
      await sleep(pollMs);
    }
  }

  async backendPids(): Promise<number[]> {
    const rows = await this.#ask<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'millrace %' ORDER BY pid`,
    );
    return rows.map(({ pid }) => pid);
  }

  /** Those of the ids of which a final state is recorded. */
  async recordedOf(ids: Iterable<string>): Promise<Set<string>> {
    const byChunk = new Map<string, string[]>();
    for (const id of ids) {
      const chunk = chunkIdOf(id);
      const known = byChunk.get(chunk);
      if (known) known.push(id);
      else byChunk.set(chunk, [id]);
    }
    const recorded = new Set<string>();
    const chunks = [...byChunk.keys()];
    for (let from = 0; from < chunks.length; from += chunksPerRead) {
      const rows = await this.#ask<OutcomeRow>(
        `SELECT chunk_id::text, state, offsets FROM outcome WHERE chunk_id = ANY($1::uuid[]) AND state >= $2`,
        [chunks.slice(from, from + chunksPerRead), stateNumber.sent],
      );
      for (const { chunk_id, offsets } of rows) {
        for (const id of byChunk.get(chunk_id)!) if (inBitmap(offsets, parseId(id).offset)) recorded.add(id);
      }
    }
    return recorded;
  }

  /** Messages of unfinished chunks that are marked as in flight, or became uncertain since a moment. */
  async inFlightOrUncertainSince(at: Date): Promise<Set<string>> {
    const rows = await this.#ask<OutcomeRow>(
      `SELECT outcome.chunk_id::text, outcome.state, outcome.offsets, chunk.count, outcome.at
        FROM outcome JOIN chunk ON chunk.shard = outcome.shard AND chunk.id = outcome.chunk_id
        WHERE EXISTS (SELECT FROM pending WHERE pending.chunk_id = outcome.chunk_id)
          OR (outcome.state = $1 AND outcome.at >= $2)
        ORDER BY outcome.chunk_id, outcome.seq`,
      [stateNumber.uncertain, at],
    );
    const found = new Set<string>();
    for (const { chunk_id, state, offsets, count, at: wasAt } of rows) {
      const counts = state === stateNumber.sending || (state === stateNumber.uncertain && wasAt >= at);
      for (let offset = 0; offset < count; offset++) {
        if (!inBitmap(offsets, offset)) continue;
        if (counts) found.add(messageIdAt(chunk_id, offset));
        else found.delete(messageIdAt(chunk_id, offset));
      }
    }
    return found;
  }

  /** Of messages that are uncertain, when they were marked, and when that was made of it: the times of the transactions. */
  async markTimes(ids: readonly string[]): Promise<Map<string, MarkTimes>> {
    const times = new Map<string, MarkTimes>();
    const rows = await this.#ask<OutcomeRow>(
      `SELECT chunk_id::text, state, offsets, at FROM outcome
        WHERE chunk_id = ANY($1::uuid[]) AND state = ANY($2) ORDER BY chunk_id, seq`,
      [[...new Set(ids.map(chunkIdOf))], [stateNumber.sending, stateNumber.uncertain]],
    );
    for (const { chunk_id, state, offsets, at } of rows) {
      for (const id of ids) {
        if (chunkIdOf(id) !== chunk_id || !inBitmap(offsets, parseId(id).offset)) continue;
        const known = times.get(id) ?? { markedAt: at.getTime(), uncertainAt: at.getTime() };
        const marked = state === stateNumber.sending;
        times.set(id, { ...known, ...(marked ? { markedAt: at.getTime() } : { uncertainAt: at.getTime() }) });
      }
    }
    return times;
  }

  async pendingChunks(): Promise<number> {
    const [row] = await this.#ask<{ chunks: number }>('SELECT count(*)::int AS chunks FROM pending');
    return row!.chunks;
  }

  /** Every message of a route with its last state, from the stored chunks and the log of outcomes. */
  async *messages(routeName: string): AsyncGenerator<StoredMessage> {
    let after = '00000000-0000-0000-0000-000000000000';
    for (;;) {
      const chunks = await this.#ask<{ id: string; count: number; codec: number; payload: Buffer }>(
        `SELECT chunk.id::text, count, codec, payload FROM chunk
          WHERE route_id = (SELECT id FROM route WHERE name = $1) AND chunk.id > $2 ORDER BY chunk.id LIMIT $3`,
        [routeName, after, chunksPerRead],
      );
      if (chunks.length === 0) return;
      const states = await this.#lastStates(chunks);
      for (const { id, count, codec, payload } of chunks) {
        const lines = splitFrame(decodeChunk(codec, payload));
        if (lines.length !== count) throw new Error(`chunk ${id} has ${lines.length} lines, not ${count}`);
        for (let offset = 0; offset < count; offset++) {
          const { ref } = JSON.parse(lines[offset]!) as { ref: string };
          yield { id: messageIdAt(id, offset), ref, state: states.get(id)![offset]! };
        }
      }
      after = chunks.at(-1)!.id;
    }
  }

  async #lastStates(chunks: { id: string; count: number }[]): Promise<Map<string, Uint8Array>> {
    const states = new Map(chunks.map(({ id, count }) => [id, new Uint8Array(count)]));
    const rows = await this.#ask<OutcomeRow>(
      `SELECT chunk_id::text, state, offsets FROM outcome WHERE chunk_id = ANY($1::uuid[])
        ORDER BY chunk_id, seq`,
      [chunks.map(({ id }) => id)],
    );
    for (const { chunk_id, state, offsets } of rows) {
      const of = states.get(chunk_id)!;
      for (let offset = 0; offset < of.length; offset++) if (inBitmap(offsets, offset)) of[offset] = state;
    }
    return states;
  }

  /** A connection for each question: nothing of a dead server is kept. */
  async #ask<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    const deadline = performance.now() + databaseBackMs;
    for (;;) {
      const client = new pg.Client({
        connectionString: this.#url,
        application_name: 'chaos books',
        connectionTimeoutMillis: 5_000,
      });
      client.on('error', () => {});
      try {
        await client.connect();
        return (await client.query<Row>(text, values)).rows;
      } catch (error) {
        if (performance.now() > deadline || isWrong(error)) throw error;
        await sleep(pollMs);
      } finally {
        await client.end().catch(() => {});
      }
    }
  }
}

/** A fault of the question itself: classes 22 and 42 of the SQLSTATEs. */
function isWrong(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^(22|42)/.test(code);
}
