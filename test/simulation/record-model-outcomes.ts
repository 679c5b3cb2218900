import type { OutcomeFlush, OutcomeInsert } from '../../src/store/delivery/record-outcomes.ts';
import type { ModelClient, Reply } from './model-client.ts';
import { type Session, type StoredOutcome, write } from './model-database.ts';
import type { StoreFaults } from './model-store.ts';

/** The planted fault: what another statement of another moment would take. */
const answeredApartMs = 1_500;

/** What `recordOutcomes` does on PostgreSQL, on the model: in the same statements, one round trip each. */
export function recordModelOutcomes(
  client: ModelClient,
  flush: OutcomeFlush,
  faults: StoreFaults,
): Promise<boolean> {
  const { progress, waiting, renewed, answered } = flush;
  const simple = progress.length + waiting.length + renewed.length + answered.length === 0;
  // It goes on its way as it is now: where it is repeated, times in it are changed before.
  const record = new Recording(client, structuredFlush(flush), faults);
  return simple && flush.outcomes.length > 0 ? record.atOnce() : record.inSteps();
}

class Recording {
  readonly #client: ModelClient;
  readonly #flush: OutcomeFlush;
  readonly #faults: StoreFaults;

  constructor(client: ModelClient, flush: OutcomeFlush, faults: StoreFaults) {
    this.#client = client;
    this.#flush = flush;
    this.#faults = faults;
  }

  /** One statement: what follows the fence happens in the step that passes it. */
  atOnce(): Promise<boolean> {
    return this.#client.query<boolean>('record_at_once', (session, reply) => {
      this.#fence(session, (isOwner) => {
        if (!isOwner) return reply(false);
        this.#insert(session, () => {
          this.#writeRest(session);
          reply(true);
        });
      });
    });
  }

  inSteps(): Promise<boolean> {
    return this.#client.transaction('record_outcomes', async (connection) => {
      if (!(await connection.call<boolean>((session, reply) => this.#fence(session, reply)))) return false;
      if (this.#flush.outcomes.length > 0) {
        const inserted = await connection.call<number>((session, reply) => this.#insert(session, reply));
        if (inserted === 0) return true;
      }
      await connection.call<void>((session, reply) => {
        this.#writeRest(session);
        reply();
      });
      return true;
    });
  }

  #fence(session: Session, reply: Reply<boolean>): void {
    const { owners, locks } = this.#client.server.database;
    const { shard, epoch } = this.#flush;
    if (this.#faults.unfenced) {
      reply(true);
      return;
    }
    const granted = () => reply(owners[shard]!.epoch === epoch);
    locks.lock(session, { key: `shard ${shard}`, mode: 'share', granted });
  }

  /** ON CONFLICT DO NOTHING: a key that another transaction has inserted is waited for, and then looked for. */
  #insert(session: Session, reply: Reply<number>, at = { row: 0, inserted: 0 }): void {
    const { database, nowMs } = this.#client.server;
    const row = this.#flush.outcomes[at.row];
    if (row === undefined) {
      reply(at.inserted);
      return;
    }
    const granted = () => {
      const order = BigInt(row.seq);
      const isNew = !database.isRecorded(row.chunkId, order);
      if (isNew) {
        const stored = storedOutcome(row, { flush: this.#flush, order, nowMs });
        session.writes.push({ apply: () => database.insertOutcome(stored), outcome: stored });
      }
      this.#insert(session, reply, { row: at.row + 1, inserted: at.inserted + (isNew ? 1 : 0) });
    };
    database.locks.lock(session, { key: `outcome ${row.chunkId} ${row.seq}`, mode: 'exclusive', granted });
  }

  #writeRest(session: Session): void {
    const { database, nowMs } = this.#client.server;
    const { shard, progress, finished, waiting, renewed, answered } = this.#flush;
    for (const { batch, state, delta } of progress) {
      write(session, () => database.raise(batch, state, delta));
    }
    for (const chunkId of finished) write(session, () => database.deletePending(chunkId));
    for (const { chunkId, remaining, dueInMs } of waiting) {
      write(session, () => {
        const row = database.pending.get(chunkId);
        if (row) database.pending.set(chunkId, { ...row, remaining, dueAtMs: nowMs + dueInMs });
      });
    }
    for (const { dueInMs, ...renewal } of renewed) {
      const row = { ...renewal, shard, dueAtMs: nowMs + dueInMs, ordered: null };
      write(session, () => {
        const present = database.pending.get(row.chunkId);
        if (present) database.pending.set(row.chunkId, { ...present, ...row, ordered: present.ordered });
        else database.insertPending(row);
      });
    }
    for (const id of answered) {
      const forget = () => database.inbox.delete(id);
      const { scheduler } = this.#client.server;
      write(session, () => {
        if (this.#faults.answeredApart) scheduler.after(answeredApartMs, forget);
        else forget();
      });
    }
  }
}

function storedOutcome(
  row: OutcomeInsert,
  of: { flush: OutcomeFlush; order: bigint; nowMs: number },
): StoredOutcome {
  const { flush, order, nowMs } = of;
  return {
    chunkId: row.chunkId,
    order,
    shard: flush.shard,
    epoch: flush.epoch,
    state: row.state,
    attempt: row.attempt,
    offsets: row.offsets,
    errorCode: row.errorCode,
    atMs: nowMs - row.agoMs,
    dueAtMs: row.dueInMs === null ? null : nowMs + row.dueInMs,
  };
}

function structuredFlush(flush: OutcomeFlush): OutcomeFlush {
  return {
    ...flush,
    outcomes: flush.outcomes.map((row) => ({ ...row })),
    waiting: flush.waiting.map((row) => ({ ...row })),
    renewed: flush.renewed.map((row) => ({ ...row })),
  };
}
