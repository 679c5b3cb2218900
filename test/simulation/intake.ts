import { priorityNumber } from '../../src/message/fields.ts';
import { makeChunkId } from '../../src/message/id.ts';
import type { Checker } from './checker.ts';
import { acceptedCounter } from './model-database.ts';
import type { ModelServer } from './model-server.ts';
import { accounts, floodAccount, routeIds, type Scenario } from './scenario.ts';
import type { Workers } from './workers.ts';

/** An id is made before its transaction commits, and the commit may come late: as late as intake allows itself. */
const lateCommitMsMax = 9_000;
const floodChunks = 60;
const chunkMessagesMax = 6;

/** Stores chunks as intake does: an id first, and a while later everything of it in one commit. */
export class Intake {
  readonly #scenario: Scenario;
  readonly #server: ModelServer;
  readonly #checker: Checker;
  readonly #workers: Workers;
  readonly #batches: string[] = [];
  #lastCommitMs = 0;
  #uncommitted = 0;

  constructor(settings: { scenario: Scenario; server: ModelServer; checker: Checker; workers: Workers }) {
    this.#scenario = settings.scenario;
    this.#server = settings.server;
    this.#checker = settings.checker;
    this.#workers = settings.workers;
  }

  get lastCommitMs(): number {
    return this.#lastCommitMs;
  }

  /** Everything that was to come has been committed. */
  get isOver(): boolean {
    return this.#uncommitted === 0;
  }

  /** All batches were found to be done. */
  get batchesDone(): boolean {
    const { batches } = this.#server.database;
    return this.#batches.every((id) => batches.get(id)?.doneCounts !== undefined);
  }

  begin(): void {
    const { random, scheduler } = this.#server;
    const scenario = this.#scenario;
    for (let batch = 0; batch < scenario.batches; batch++) this.#openBatch();
    for (let chunk = 0; chunk < scenario.chunks; chunk++) {
      this.#uncommitted++;
      scheduler.after(random.between(0, scenario.troubledMs), () => this.#accept());
    }
    if (scenario.flood) scheduler.after(random.between(0, 500), () => this.#flood());
  }

  #openBatch(): void {
    const { random, nowMs, database } = this.#server;
    const shard = random.whole(0, this.#scenario.shards - 1);
    const id = makeChunkId({ unixMs: Math.floor(nowMs), shard, random: random.bytes(8) });
    const released = random.chance(0.3) ? undefined : 0;
    const row = {
      id,
      shard,
      defaults: {},
      closed: false,
      releasedAtMs: released,
      held: undefined,
      doneCounts: undefined,
    };
    database.batches.set(id, row);
    this.#batches.push(id);
  }

  #accept(): void {
    const { random } = this.#server;
    const batch = random.chance(0.6) && this.#batches.length > 0 ? random.pick(this.#batches) : null;
    this.#store({
      accountId: random.pick(accounts),
      routeId: random.chance(0.1) ? routeIds.blackHole : random.pick([routeIds.resend, routeIds.hold]),
      priority: random.pick([priorityNumber.interactive, priorityNumber.bulk]),
      batch,
    });
  }

  #flood(): void {
    const lane = { accountId: floodAccount, routeId: routeIds.resend, priority: priorityNumber.bulk };
    for (let chunk = 0; chunk < floodChunks; chunk++) {
      this.#uncommitted++;
      this.#store({ ...lane, batch: null });
    }
  }

  #store(of: { accountId: number; routeId: number; priority: number; batch: string | null }): void {
    const { random, scheduler } = this.#server;
    const endless = of.accountId === floodAccount || of.routeId === routeIds.blackHole;
    // A batch with a part that never ends would never be done.
    const chunk = { ...of, batch: endless ? null : of.batch, endless };
    const shard = random.whole(0, this.#scenario.shards - 1);
    const chunkId = makeChunkId({ unixMs: Math.floor(this.#server.nowMs), shard, random: random.bytes(8) });
    const count = random.whole(1, chunkMessagesMax);
    const machine = random.pick(this.#workers.machines);
    const beganAtMs = machine.present.process.clock.monotonicMs();
    const isLate = random.chance(0.15);
    const takesMs = isLate ? random.between(100, lateCommitMsMax) : random.between(1, 20);
    this.#lastCommitMs = Math.max(this.#lastCommitMs, scheduler.nowMs + takesMs);
    scheduler.after(takesMs, () => {
      const payload = this.#commit({ ...chunk, chunkId, shard, count });
      if (!random.chance(0.5)) return;
      const stored = random.chance(0.5) ? { codec: 0, payload, timed: false } : {};
      const hint = { ...chunk, chunkId, shard, count, beganAtMs, ...stored };
      const { present } = machine;
      // The answer to COMMIT may be as late as the commit was.
      const answerMs = random.chance(0.1) ? random.between(10, 3_000) : random.between(0.2, 2);
      scheduler.after(answerMs, () => present.process.arrive(() => present.worker.hint([hint])));
    });
  }

  #commit(chunk: {
    chunkId: string;
    shard: number;
    count: number;
    accountId: number;
    routeId: number;
    priority: number;
    batch: string | null;
    endless: boolean;
  }): Uint8Array {
    const { database, nowMs, trace } = this.#server;
    const { chunkId, shard, count, batch, endless, ...lane } = chunk;
    const payload = Buffer.from(Array.from({ length: count }, (_, n) => `{"to":"+3161234${n}"}`).join('\n'));
    trace.note('intake', 'commits', chunkId);
    database.chunks.set(chunkId, {
      ...lane,
      id: chunkId,
      chunkId,
      shard,
      count,
      batch,
      codec: 0,
      payload,
      timed: false,
    });
    database.insertPending({
      ...lane,
      chunkId,
      shard,
      count,
      batch,
      remaining: null,
      dueAtMs: this.#dueAtMs(batch, nowMs),
    });
    if (batch !== null) database.raise(batch, acceptedCounter, count);
    this.#checker.onAccepted({ chunkId, count, batch, hold: lane.routeId === routeIds.hold, endless });
    if (--this.#uncommitted === 0) this.#closeBatches();
    return payload;
  }

  /** A batch that starts when it is closed is not due before. */
  #dueAtMs(batch: string | null, nowMs: number): number {
    const released = batch === null || this.#server.database.batches.get(batch)!.releasedAtMs !== undefined;
    return released ? nowMs : Number.POSITIVE_INFINITY;
  }

  #closeBatches(): void {
    const { database, nowMs } = this.#server;
    for (const batch of database.batches.values()) {
      batch.closed = true;
      if (batch.releasedAtMs !== undefined) continue;
      batch.releasedAtMs = nowMs;
      for (const row of database.pending.values()) if (row.batch === batch.id) row.dueAtMs = nowMs;
    }
  }
}
