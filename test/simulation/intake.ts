import type { MessageDefaults } from '../../src/message/fields.ts';
import { priorityNumber } from '../../src/message/fields.ts';
import { makeChunkId } from '../../src/message/id.ts';
import type { ChunkKeyRow } from '../../src/store/delivery/load-chunks.ts';
import type { Checker, SentTimes } from './checker.ts';
import { type DrawnKeys, drawKeys } from './drawn-keys.ts';
import { acceptedCounter } from './model-database.ts';
import type { ProviderTraits } from './model-provider.ts';
import type { ModelServer } from './model-server.ts';
import type { OrderChecker } from './order-checker.ts';
import { OrderedCommits, orderedCommitMsMax } from './ordered-commits.ts';
import { recipientOf } from './places.ts';
import type { Plant } from './plants.ts';
import { accounts, floodAccount, routeIds, type Scenario } from './scenario.ts';
import type { Workers } from './workers.ts';

const floodChunks = 60;
/** Of a provider's latency, what a request takes at the mean, and a quarter more. */
const turnShare = 1.5;
const chunkMessagesMax = 6;
/** Times that senders name lie so far ahead, at most. */
const scheduleMsMax = 4_000;
const expiryMs = { min: 300, max: 5_000 };

/** Stores chunks as intake does: an id first, and a while later everything of it in one commit. */
export class Intake {
  readonly #scenario: Scenario;
  readonly #server: ModelServer;
  readonly #checker: Checker;
  readonly #workers: Workers;
  readonly #order: OrderChecker;
  readonly #orderedCommits: OrderedCommits;
  readonly #batches: string[] = [];
  /** When the last commit is made, and the last message is due. */
  #lastDueMs = 0;
  #uncommitted = 0;
  /** Messages of the others on the route that is flooded, by account. */
  readonly #besideFlood = new Map<number, number>();

  constructor(settings: {
    scenario: Scenario;
    server: ModelServer;
    checker: Checker;
    order: OrderChecker;
    workers: Workers;
    plant: Plant;
  }) {
    this.#scenario = settings.scenario;
    this.#server = settings.server;
    this.#checker = settings.checker;
    this.#workers = settings.workers;
    this.#order = settings.order;
    this.#orderedCommits = new OrderedCommits(settings.server, { unlocked: settings.plant.unlockedPlaces });
  }

  /** Simulated time by which everything has come and is due. */
  get lastDueMs(): number {
    return this.#lastDueMs;
  }

  /**
   * How long the others may take on the flooded route when each has no more than its weight's part of it, and the route
   * no more than one connection.
   */
  get sharesMs(): number {
    if (!this.#scenario.flood) return 0;
    const { latencyMs } = this.#scenario.routes[routeIds.resend - 1]!.options.traits as ProviderTraits;
    const weights = [...accounts, floodAccount].reduce((sum, weight) => sum + weight, 0);
    const turns = [...this.#besideFlood].map(([weight, messages]) => (messages * weights) / weight);
    return Math.max(0, ...turns) * turnShare * latencyMs;
  }

  get batches(): readonly string[] {
    return this.#batches;
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
      scheduler.after(random.between(0, scenario.workMs), () => this.#accept());
    }
    if (scenario.flood) scheduler.after(random.between(0, 500), () => this.#flood());
  }

  #openBatch(): void {
    const { random, nowMs, database } = this.#server;
    const shard = random.whole(0, this.#scenario.shards - 1);
    const id = makeChunkId({ unixMs: Math.floor(nowMs), shard, random: random.bytes(8) });
    const released = random.chance(0.3) ? undefined : 0;
    const defaults = random.chance(0.25) ? timesText(this.#drawTimes()) : {};
    const row = {
      ...{ id, shard, defaults, closed: false, releasedAtMs: released },
      ...{ held: undefined, doneCounts: undefined, reopened: 0 },
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
    const { shards, keyedShare } = this.#scenario;
    const count = random.whole(1, chunkMessagesMax);
    if (of.routeId === routeIds.resend && of.accountId !== floodAccount)
      this.#besideFlood.set(of.accountId, (this.#besideFlood.get(of.accountId) ?? 0) + count);
    const isKeyed = !endless && random.chance(keyedShare);
    const keys = isKeyed ? drawKeys(random, { accountId: of.accountId, shards, count }) : undefined;
    const shard = keys?.shard ?? random.whole(0, shards - 1);
    const chunkId = makeChunkId({ unixMs: Math.floor(this.#server.nowMs), shard, random: random.bytes(8) });
    const machine = random.pick(this.#workers.machines);
    const beganAtMs = machine.present.process.clock.monotonicMs();
    const isLate = random.chance(0.15);
    const takesMs = isLate ? random.between(100, this.#scenario.lateCommitMsMax) : random.between(1, 20);
    const waitsMsMax = keys ? orderedCommitMsMax : 0;
    this.#lastDueMs = Math.max(this.#lastDueMs, scheduler.nowMs + takesMs + waitsMsMax);
    const timed = !endless && random.chance(0.2);
    const times = Array.from({ length: count }, () => (timed ? this.#drawTimes() : {}));
    const commit = (place?: number) => {
      const lane = { accountId: of.accountId, routeId: of.routeId, priority: of.priority };
      const key = { ...lane, chunkId, shard, count, batch: chunk.batch };
      const payload = timed || keys ? payloadOf(times, keys) : plainPayload(count);
      const placed = keys && place !== undefined ? { ...keys, place } : undefined;
      const dueAtMs = this.#commit({ key, payload, timed, times, endless, placed });
      // What is not due yet is not told.
      if (!random.chance(0.5) || dueAtMs > this.#server.nowMs) return;
      const stored = random.chance(0.5) ? { codec: 0, payload, timed } : {};
      const hint = { ...key, beganAtMs, ...stored, ordered: keys !== undefined };
      const { present } = machine;
      // The answer to COMMIT may be as late as the commit was.
      const answerMs = random.chance(0.1) ? random.between(10, 3_000) : random.between(0.2, 2);
      scheduler.after(answerMs, () => present.process.arrive(() => present.worker.hint([hint])));
    };
    if (!keys) scheduler.after(takesMs, () => commit());
    else this.#orderedCommits.begin({ shard, takesMs, commit, giveUp: () => this.#end() });
  }

  /** The answer is when the chunk is due. */
  #commit(chunk: {
    key: Omit<ChunkKeyRow, 'ordered' | 'awaitsClosing'>;
    payload: Uint8Array;
    timed: boolean;
    times: readonly DrawnTimes[];
    endless: boolean;
    /** Absent for messages without ordering keys. */
    placed: (DrawnKeys & { place: number }) | undefined;
  }): number {
    const { database, trace } = this.#server;
    const { key, payload, timed, endless, placed } = chunk;
    const { accountId, chunkId, count, batch, routeId } = key;
    trace.note('intake', placed ? `commits in place ${placed.place}` : 'commits', chunkId);
    database.chunks.set(chunkId, { ...key, id: chunkId, codec: 0, payload, timed, templates: null });
    const defaults = batch === null ? undefined : database.batches.get(batch)!.defaults;
    const times = chunk.times.map((own) => timesOf(own, defaults));
    const dueAtMs = this.#dueAtMs(batch, times);
    const pending = { ...key, remaining: null, dueAtMs, ordered: placed?.place ?? null };
    database.insertPending(placed ? { ...pending, ordering: placed.ordering } : pending);
    if (batch !== null) database.raise(batch, acceptedCounter, count);
    const hold = routeId === routeIds.hold;
    this.#checker.onAccepted({ chunkId, count, batch, routeId, hold, endless, times });
    if (placed) this.#order.onAccepted({ ...placed, chunkId, accountId });
    this.#end();
    return dueAtMs;
  }

  /** All of a chunk is stored, or nothing ever. */
  #end(): void {
    if (--this.#uncommitted === 0) this.#closeBatches();
  }

  /** A batch that starts when it is closed is not due before. */
  #dueAtMs(batch: string | null, times: readonly SentTimes[]): number {
    const { batches } = this.#server.database;
    const released = batch === null || batches.get(batch)!.releasedAtMs !== undefined;
    if (!released) return Number.POSITIVE_INFINITY;
    return Math.max(this.#server.nowMs, Math.min(...times.map(({ scheduledAtMs }) => scheduledAtMs)));
  }

  #drawTimes(): DrawnTimes {
    const { random, nowMs, scheduler } = this.#server;
    const atMs = Math.floor(nowMs + random.between(-500, scheduleMsMax));
    const scheduled = random.chance(0.5);
    const expires = random.chance(0.4);
    const fromMs = scheduled ? atMs : nowMs;
    if (scheduled) this.#lastDueMs = Math.max(this.#lastDueMs, scheduler.nowMs + scheduleMsMax);
    return {
      ...(scheduled && { scheduledAtMs: atMs }),
      ...(expires && { expiresAtMs: Math.floor(fromMs + random.between(expiryMs.min, expiryMs.max)) }),
    };
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

interface DrawnTimes {
  scheduledAtMs?: number;
  expiresAtMs?: number;
}

function timesText({ scheduledAtMs, expiresAtMs }: DrawnTimes): MessageDefaults {
  return {
    ...(scheduledAtMs !== undefined && { scheduledAt: new Date(scheduledAtMs).toISOString() }),
    ...(expiresAtMs !== undefined && { expiresAt: new Date(expiresAtMs).toISOString() }),
  };
}

/** A message's own times go before those of its batch. */
function timesOf(own: DrawnTimes, defaults: MessageDefaults | undefined): SentTimes {
  const { scheduledAt, expiresAt } = defaults ?? {};
  return {
    scheduledAtMs: own.scheduledAtMs ?? (scheduledAt ? Date.parse(scheduledAt) : Number.NEGATIVE_INFINITY),
    expiresAtMs: own.expiresAtMs ?? (expiresAt ? Date.parse(expiresAt) : Number.POSITIVE_INFINITY),
  };
}

const plainPayloads = new Map<number, Uint8Array>();

function plainPayload(count: number): Uint8Array {
  let payload = plainPayloads.get(count);
  if (payload === undefined) {
    payload = payloadOf(Array.from({ length: count }, () => ({})));
    plainPayloads.set(count, payload);
  }
  return payload;
}

function payloadOf(times: readonly DrawnTimes[], keyed?: DrawnKeys): Uint8Array {
  const lines = times.map((own, n) => {
    const key = keyed && { orderingKey: `${keyed.keys[n]}` };
    return JSON.stringify({ to: recipientOf(n), ...key, ...timesText(own) });
  });
  return Buffer.from(lines.join('\n'));
}
