import type {
  OutcomeFlush,
  OutcomeInsert,
  PendingRenewal,
} from '../../src/store/delivery/record-outcomes.ts';
import type { ModelClient, Reply } from './model-client.ts';
import { type Session, type StoredOutcome, write } from './model-database.ts';
import type { StoreFaults } from './model-store.ts';

/** The planted fault: what another statement of another moment would take. */
const answeredApartMs = 1_500;

/**
 * What `recordOutcomes` does on PostgreSQL, on the model: all of its statements leave at once, so that they arrive
 * together or not at all.
 */
export function recordModelOutcomes(
  client: ModelClient,
  flush: OutcomeFlush,
  faults: StoreFaults,
): Promise<boolean> {
  // It goes on its way as it is now: where it is repeated, times in it are changed before.
  const recording = new Recording(client, structuredFlush(flush), faults);
  return client.query<boolean>('record_outcomes', (session, reply) => recording.execute(session, reply));
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

  execute(session: Session, reply: Reply<boolean>): void {
    this.#fence(session, (isOwner) => {
      if (!isOwner) return reply(false);
      this.#insert(session, (inserted) => {
        if (inserted === 0 && this.#flush.outcomes.length > 0) return reply(true);
        runInTurn(this.#effects(session), () => reply(true));
      });
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

  /** What follows from the outcomes, in the order of the statements; each goes on when it has the row. */
  *#effects(session: Session): Generator<(done: () => void) => void> {
    const { database, nowMs } = this.#client.server;
    const { progress, finished, waiting, renewed, answered, receipts = [], recounted = [] } = this.#flush;
    for (const { batch, state, delta } of progress) {
      write(session, () => database.raise(batch, state, delta));
    }
    for (const chunkId of finished) {
      const apply = () => database.deletePending(chunkId);
      yield (done) => this.#change(session, { rows: database.pending, key: chunkId, apply }, done);
    }
    for (const { chunkId, remaining, dueInMs, putOffBy } of waiting) {
      const apply = () => {
        const row = database.pending.get(chunkId)!;
        const dueAtMs = dueUnlessHeld(row, nowMs + dueInMs);
        database.pending.set(chunkId, { ...row, remaining, dueAtMs, putOffBy });
      };
      yield (done) => this.#change(session, { rows: database.pending, key: chunkId, apply }, done);
    }
    for (const renewal of renewed) yield (done) => this.#renew(session, renewal, done);
    for (const id of answered) {
      const apply = () => this.#forget(id);
      yield (done) => this.#change(session, { rows: database.inbox, key: id, apply }, done);
    }
    for (const id of receipts) {
      const apply = () => database.receipts.delete(id);
      yield (done) => this.#change(session, { rows: database.receipts, key: id, apply }, done);
    }
    for (const batch of recounted) write(session, () => this.#markRecounted(batch));
  }

  /** UPDATE and DELETE: a row that is not there when they look for it is none of theirs, even if it is when they commit. */
  #change(
    session: Session,
    row: { rows: ReadonlyMap<string, unknown>; key: string; apply: () => void },
    done: () => void,
  ): void {
    const { rows, key, apply } = row;
    if (!rows.has(key)) {
      done();
      return;
    }
    const granted = () => {
      if (rows.has(key)) write(session, apply);
      done();
    };
    const { locks } = this.#client.server.database;
    locks.lock(session, { key: `row ${key}`, mode: 'exclusive', granted });
  }

  /** INSERT ON CONFLICT DO UPDATE: the place of a row that is there stays. */
  #renew(session: Session, renewal: PendingRenewal, done: () => void): void {
    const { database, nowMs } = this.#client.server;
    const { dueInMs, ...key } = renewal;
    const row = { ...key, shard: this.#flush.shard, dueAtMs: nowMs + dueInMs, ordered: null };
    const granted = () => {
      write(session, () => {
        const present = database.pending.get(row.chunkId);
        if (present) {
          const { ordered } = present;
          const dueAtMs = dueUnlessHeld(present, row.dueAtMs);
          database.pending.set(row.chunkId, { ...present, ...row, dueAtMs, ordered });
        } else database.insertPending(row);
      });
      done();
    };
    database.locks.lock(session, { key: `row ${row.chunkId}`, mode: 'exclusive', granted });
  }

  #markRecounted(batch: string): void {
    const { recounts } = this.#client.server.database;
    const { shard } = this.#flush;
    const changes = (recounts.get(`${batch} ${shard}`)?.changes ?? 0) + 1;
    recounts.set(`${batch} ${shard}`, { batch, shard, changes });
  }

  #forget(id: string): void {
    const { database, scheduler } = this.#client.server;
    const forget = () => database.inbox.delete(id);
    if (this.#faults.answeredApart) scheduler.after(answeredApartMs, forget);
    else forget();
  }
}

/** What waits for the closing of its batch does, whatever is decided on its messages meanwhile. */
function dueUnlessHeld(present: { dueAtMs: number }, dueAtMs: number): number {
  return present.dueAtMs === Number.POSITIVE_INFINITY ? present.dueAtMs : dueAtMs;
}

/** Each begins when the one before it is done. */
function runInTurn(steps: Iterator<(done: () => void) => void>, over: () => void): void {
  const { value: step, done } = steps.next();
  if (done) over();
  else step(() => runInTurn(steps, over));
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
