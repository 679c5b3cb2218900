import type { Clock } from '../../lib/clock.ts';
import { DatabaseError } from '../../store/database.ts';
import type { OutcomeFlush } from '../../store/delivery/record-outcomes.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import type { OutcomeStore } from '../delivery-store.ts';
import type { RecordedOutcomes } from '../observe/delivery-observer.ts';
import type { Tenure } from '../ownership/tenure.ts';
import { type FlushRest, flushOf } from './flush-of.ts';

export interface OutcomeBufferSettings {
  store: OutcomeStore;
  clock: Clock;
  /** How long an outcome may wait for others of its shard. */
  flushEveryMs: number;
  /** Whether the messages of a route are to be found by their provider's own ids; none are without it. */
  keepsRefs?: (routeId: number) => boolean;
  /** The database's clock at a moment of the monotonic one. */
  databaseNowMs: (monotonicMs: number) => number;
  /** Shards recorded at the same time, each in a transaction of its own. */
  flushesMax: number;
  /** These are in the database. */
  onRecorded?: (outcomes: readonly RecordedOutcomes[]) => void;
  /** A chunk came to rest: `finished`, or all that remains of it waits. It may leave memory. */
  onRest: (rest: FlushRest) => void;
  /** It is recorded that these messages, which have ordering keys, came to their end. */
  onSettled: (work: ChunkWork, offsets: readonly number[]) => void;
  /** The fence was closed: another worker owns the shard. */
  onFenced: (tenure: Tenure) => void;
  /** The database refuses a flush of the shard again and again: no more of it may be sent. */
  onRefused: (tenure: Tenure) => void;
  /** There is room again after the buffer was full. */
  onRoom: () => void;
  onError: (error: unknown) => void;
}

/** Told whether what was added was recorded; it was not when the shard was lost. */
export type Recorded = (recorded: boolean) => void;

/** Outcomes that may wait to be recorded before sends stop: at 100,000 a second, half a second of a slow database. */
export const unrecordedMax = 50_000;
/** How long outcomes that somebody waits for wait for others. */
const urgentMs = 2;
/**
 * The same of shards whose outcomes the database refuses. A single one may have come to all of the other before that was
 * known, and then sends nothing more: it takes several to stop the worker.
 */
const refusedMax = 4 * unrecordedMax;
/** Wait after a flush that failed, doubled up to the maximum: while the database is away, and when it refuses a flush. */
const retryMs = { min: 50, max: 2_000 };
const refusedRetryMsMax = 10_000;
/** A flush that was refused so often will be until somebody mends the database; a schema that changes refuses for moments. */
const refusalsMax = 3;

/** The outcomes of one tenure between their recording here and in the database. */
interface ShardOutcomes {
  tenure: Tenure;
  works: ChunkWork[];
  waiters: Recorded[];
  flushing: boolean;
}

/**
 * Collects outcomes and records them shard by shard, many at a time. One shard has one flush at a time, so
 * its outcomes are recorded in order; a flush that fails is repeated as it is until it is recorded or the
 * shard is lost, because nobody knows whether a COMMIT that was not answered took place.
 *
 * A shard whose flush the database refuses for what is in it is set aside: it takes no room from the others, its flush is
 * tried again between theirs, and no more of it is sent, so that what nobody can record does not grow. One that waits for a lock
 * until its time is up gives way to the others too, and is sent on.
 */
export class OutcomeBuffer {
  readonly #settings: OutcomeBufferSettings;
  readonly #shards = new Map<Tenure, ShardOutcomes>();
  /** Shards with something to record: those that wait for the timer, and those whose time has come. */
  #collecting = new Set<ShardOutcomes>();
  #due = new Set<ShardOutcomes>();
  #urgent = new Set<ShardOutcomes>();
  #running = 0;
  /** Whose flushes run again after they gave way. */
  readonly #retrying = new Set<Tenure>();
  /** Those that wait to try again after they gave way. */
  readonly #turns: (() => void)[] = [];
  #unrecorded = 0;
  /** What the outcomes of shards that were set aside weigh. */
  #refused = 0;
  #wasFull = false;
  #callOff: (() => void) | undefined;

  constructor(settings: OutcomeBufferSettings) {
    this.#settings = settings;
  }

  get full(): boolean {
    return this.#unrecorded >= unrecordedMax || this.#refused >= refusedMax;
  }

  get unrecorded(): number {
    return this.#unrecorded + this.#refused;
  }

  /** Outcomes that weigh so many messages were recorded in `work`, or it came to rest without any. */
  add(work: ChunkWork, weight: number): void {
    const { tenure } = work.chunk;
    work.unrecorded += weight;
    this.#weigh(tenure, weight);
    this.#wasFull ||= this.full;
    if (work.urgent) this.#hasten(this.#shardOf(tenure));
    if (work.dirty) return;
    work.dirty = true;
    const shard = this.#shardOf(tenure);
    shard.works.push(work);
    if (!shard.flushing) this.#collect(shard);
  }

  /** The same, with word of it. */
  addAwaited(work: ChunkWork, weight: number, recorded: Recorded): void {
    this.add(work, weight);
    this.#shardOf(work.chunk.tenure).waiters.push(recorded);
  }

  /** The same, soon. */
  addUrgent(work: ChunkWork, weight: number, recorded: Recorded): void {
    this.addAwaited(work, weight, recorded);
    this.#hasten(this.#shardOf(work.chunk.tenure));
  }

  /** The tenure has ended: what is not on its way to the database is dropped. */
  drop(tenure: Tenure): void {
    const shard = this.#shards.get(tenure);
    if (shard === undefined) return;
    for (const work of shard.works) this.#weigh(tenure, -work.unrecorded);
    shard.works = [];
    tell(shard.waiters.splice(0), false);
    this.#collecting.delete(shard);
    this.#due.delete(shard);
    if (!shard.flushing) this.#shards.delete(tenure);
  }

  #shardOf(tenure: Tenure): ShardOutcomes {
    let shard = this.#shards.get(tenure);
    if (shard === undefined) {
      shard = { tenure, works: [], waiters: [], flushing: false };
      this.#shards.set(tenure, shard);
    }
    return shard;
  }

  #hasten(shard: ShardOutcomes): void {
    if (this.#urgent.size === 0) this.#settings.clock.after(urgentMs, () => this.#fireUrgent());
    this.#urgent.add(shard);
  }

  #collect(shard: ShardOutcomes): void {
    // Until its turn comes, a shard whose time has come goes on collecting as well.
    if (!this.#due.has(shard)) this.#collecting.add(shard);
    const { clock, flushEveryMs } = this.#settings;
    this.#callOff ??= clock.after(flushEveryMs, () => this.#fire());
  }

  #fire(): void {
    this.#callOff?.();
    this.#callOff = undefined;
    for (const shard of this.#collecting) this.#due.add(shard);
    this.#collecting.clear();
    this.#startDue();
  }

  #fireUrgent(): void {
    for (const shard of this.#urgent) {
      // One that is being recorded right now collects what came since; it follows at once.
      if (shard.flushing || !this.#collecting.delete(shard)) continue;
      this.#due.add(shard);
    }
    this.#urgent.clear();
    this.#startDue();
  }

  #startDue(): void {
    const { flushesMax } = this.#settings;
    // One is left to those that have not failed: each of the others may wait for its lock as long as a statement may.
    const retryingMax = Math.max(1, flushesMax - 1);
    while (this.#turns.length > 0 && this.#running < flushesMax && this.#retrying.size < retryingMax) {
      this.#running++;
      this.#turns.shift()!();
    }
    for (const shard of this.#due) {
      if (this.#running >= flushesMax) break;
      this.#due.delete(shard);
      void this.#record(shard);
    }
  }

  async #record(shard: ShardOutcomes): Promise<void> {
    const { tenure } = shard;
    const works = shard.works;
    const waiters = shard.waiters.splice(0);
    shard.works = [];
    shard.flushing = true;
    this.#running++;
    const { flush, weight, rests, told, settled } = flushOf(tenure, works, {
      nowMs: this.#settings.clock.monotonicMs(),
      keepsRefs: this.#settings.keepsRefs ?? (() => false),
      databaseNowMs: this.#settings.databaseNowMs,
    });
    const onRefused = () => this.#setAside(shard, waiters);
    const recorded = await this.#recordUntilLost(tenure, { flush, onRefused });
    this.#running--;
    this.#retrying.delete(tenure);
    shard.flushing = false;
    this.#weigh(tenure, -weight);
    tell(waiters.splice(0), recorded);
    if (recorded) {
      this.#settings.onRecorded?.(told);
      for (const { work, offsets } of settled) this.#settings.onSettled(work, offsets);
      for (const rest of rests) this.#settings.onRest(rest);
    } else if (tenure.state !== 'ended') this.#settings.onFenced(tenure);
    if (shard.waiters.length > 0 || shard.works.some(({ urgent }) => urgent)) {
      // In one of the two lists alone, or it would be recorded a second time while it is.
      this.#collecting.delete(shard);
      this.#due.add(shard);
    } else if (shard.works.length > 0) this.#collect(shard);
    else this.#shards.delete(tenure);
    this.#startDue();
    this.#tellRoom();
  }

  /** True when recorded. False when the shard was lost, whether or not the last COMMIT took place. */
  async #recordUntilLost(
    tenure: Tenure,
    { flush, onRefused }: { flush: OutcomeFlush; onRefused: () => void },
  ): Promise<boolean> {
    const { store, clock, onError } = this.#settings;
    let refusals = 0;
    for (let waitMs = retryMs.min; tenure.state !== 'ended'; waitMs *= 2) {
      try {
        return await store.recordOutcomes(flush);
      } catch (error) {
        onError(error);
        if (isRefusal(error)) refusals++;
        if (refusals === refusalsMax && !tenure.refused) onRefused();
        const failedAtMs = clock.monotonicMs();
        if (tenure.refused || isTimeout(error)) await this.#giveWay(tenure, waitMs);
        else await clock.sleep(Math.min(waitMs, retryMs.max));
        delay(flush, clock.monotonicMs() - failedAtMs);
      }
    }
    return false;
  }

  /** Not while the database is away: nobody else would get on then. */
  async #giveWay(tenure: Tenure, waitMs: number): Promise<void> {
    this.#running--;
    this.#retrying.delete(tenure);
    this.#startDue();
    await this.#settings.clock.sleep(Math.min(waitMs, tenure.refused ? refusedRetryMsMax : retryMs.max));
    await new Promise<void>((resolve) => {
      this.#turns.push(() => {
        this.#retrying.add(tenure);
        resolve();
      });
      this.#startDue();
    });
  }

  /** Its outcomes weigh apart from now on, and who waits for them hears that they are not recorded. */
  #setAside(shard: ShardOutcomes, waiters: Recorded[]): void {
    const { tenure } = shard;
    this.#unrecorded -= tenure.unrecorded;
    this.#refused += tenure.unrecorded;
    tenure.refused = true;
    this.#settings.onRefused(tenure);
    const name = `the database refuses the outcomes of shard ${tenure.shard}: no more of it is sent until that is mended`;
    this.#settings.onError(new Error(name));
    tell([...waiters.splice(0), ...shard.waiters.splice(0)], false);
    this.#tellRoom();
  }

  #tellRoom(): void {
    if (!this.#wasFull || this.full) return;
    this.#wasFull = false;
    this.#settings.onRoom();
  }

  /** So much more of the tenure is unrecorded, or less. */
  #weigh(tenure: Tenure, weight: number): void {
    tenure.unrecorded += weight;
    if (tenure.refused) this.#refused += weight;
    else this.#unrecorded += weight;
  }
}

/** The same flush is refused whenever it comes, for what it holds or because the schema does not fit. */
function isRefusal(error: unknown): boolean {
  return error instanceof DatabaseError && error.fault.kind === 'invalid' && !error.fault.ambiguous;
}

/** It may have waited for a lock: somebody keeps the row of its shard. */
function isTimeout(error: unknown): boolean {
  return error instanceof DatabaseError && error.fault.kind === 'timeout';
}

function tell(waiters: Recorded[], recorded: boolean): void {
  for (const waiter of waiters) waiter(recorded);
}

/** Ages and due times are told from the moment of the statement. */
function delay(flush: OutcomeFlush, ms: number): void {
  for (const row of flush.outcomes) {
    row.agoMs += ms;
    if (row.dueInMs !== null) row.dueInMs -= ms;
  }
  for (const row of [...flush.waiting, ...flush.renewed]) row.dueInMs -= ms;
  if (flush.statistics) flush.statistics.agoMs += ms;
}
