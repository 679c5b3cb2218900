import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Clock } from '../../lib/clock.ts';
import { limits } from '../../message/limits.ts';
import type { ShardEpoch } from '../../store/delivery/claim-shards.ts';
import type { OwnershipStore } from '../delivery-store.ts';
import { ShardMoves } from './shard-moves.ts';
import { Tenure } from './tenure.ts';

export interface OwnershipSettings {
  store: OwnershipStore;
  clock: Clock;
  /** How long a worker may be silent before its shards are taken. */
  leaseMs: number;
  onClaimed: (tenures: Tenure[]) => void;
  /** The tenures have ended: what is in memory of them is void. */
  onLost: (tenures: Tenure[]) => void;
  /** The lease was renewed, or begins; `databaseNowMs` is the database's clock. `lapsed`: it had run out, or there was none. */
  onBeat?: (beat: { databaseNowMs: number; lapsed: boolean }) => void;
  /** Shards to divide, 0 and up; all of them. */
  shards?: number;
  random?: () => number;
  /** Never gives an id twice; by default a random UUID. */
  newWorkerId?: () => string;
}

/** A send that was begun just before the deadline must be on its way before a taker may claim. */
const leaseMarginShare = 0.2;
/** While shards are handed over, how often it is tried whether one has come to rest. */
const handOverEveryMs = 20;
/** A watch with a longer gap than this part of the lease begins anew. */
const watchGapShare = 0.5;

/**
 * Which shards this worker owns, and until when it may act on it.
 *
 * The lease is one row a worker, whose `beat` rises. Another worker that has seen one beat unchanged for a
 * full lease on its own monotonic clock deletes the row together with that beat: either the delete finds
 * another beat and nothing happens, or the owner finds its row gone. A worker whose row is gone ends all its
 * tenures and begins again under a new id, so a beat that succeeds proves that everything is still owned.
 * Shards whose owner is no registered worker are free; a claim raises the epoch and holds only if the epoch
 * is the one seen. Clocks of two machines are never compared.
 * A worker that stops says so first: the others share out its shards while it is still handing them over.
 */
export class Ownership {
  readonly #settings: OwnershipSettings;
  readonly #tenures = new Map<number, Tenure>();
  readonly #watched = new Map<string, { beat: string; sinceMs: number }>();
  #watchedAtMs = Number.NEGATIVE_INFINITY;
  readonly #newWorkerId: () => string;
  readonly #claims: ShardMoves;
  readonly #releases: ShardMoves;
  #workerId: string;
  #registered = false;
  /** The database may know this worker: it was told at least. */
  #announced = false;
  #beatAtMs = Number.NEGATIVE_INFINITY;
  #deadlineMs = Number.NEGATIVE_INFINITY;
  #unclear = false;
  #stopping = false;
  #saidLeaving = false;

  constructor(settings: OwnershipSettings) {
    this.#settings = settings;
    this.#newWorkerId = settings.newWorkerId ?? randomUUID;
    this.#workerId = this.#newWorkerId();
    const { clock, leaseMs, random = Math.random } = settings;
    const of = { clock, leaseMs, random };
    this.#claims = new ShardMoves({ ...of, move: (...claim) => this.#claimAll(...claim) });
    this.#releases = new ShardMoves({ ...of, move: (...release) => this.#releaseAll(...release) });
  }

  get workerId(): string {
    return this.#workerId;
  }

  /** No send may begin at or after this moment of the monotonic clock. */
  get deadlineMs(): number {
    return this.#deadlineMs;
  }

  /** No other worker was registered at the last look. */
  get isAlone(): boolean {
    return this.#watched.size === 1 && this.#watched.has(this.#workerId);
  }

  /** The tenures that have not ended, by shard. */
  get tenures(): ReadonlyMap<number, Tenure> {
    return this.#tenures;
  }

  /** Shards whose chunks may be sent. */
  heldShards(): number[] {
    const shards: number[] = [];
    for (const tenure of this.#tenures.values()) if (tenure.state === 'held') shards.push(tenure.shard);
    return shards;
  }

  /** One turn: renew the lease if it is time, look at the others, release what is quiet, claim what is due. */
  async runOnce(): Promise<void> {
    if (!(await this.#renew())) return;
    if (this.#stopping) return this.#leave();
    if (this.#unclear) await this.#settle();
    await this.#releaseQuiet();
    const { store } = this.#settings;
    const owners = await store.readOwners();
    // A claim whose answer did not come may be committed after it was looked for; nobody else would take its shards.
    if ((owners.shardsByWorker.get(this.#workerId) ?? 0) > this.#tenures.size) await this.#settle();
    const live = (await this.#watch(owners.beats)).filter((id) => !owners.leaving.has(id));
    const target = fairShare(this.#workerId, live, this.#settings.shards);
    const held = this.heldShards();
    if (held.length > target) {
      for (const shard of held.slice(target)) this.#tenures.get(shard)!.state = 'leaving';
      return this.#releaseQuiet();
    }
    const removed = [...owners.shardsByWorker.keys()].filter((id) => id !== null && !owners.beats.has(id));
    if (held.length < target && (removed.length > 0 || owners.shardsByWorker.has(null))) {
      await this.#claim(target - this.#tenures.size, removed as string[]);
    }
  }

  /** A fence was found closed: somebody else owns the shard. */
  lose(tenure: Tenure): void {
    if (tenure.state !== 'ended') this.#end([tenure]);
  }

  /** Nothing more of the shard is sent; it is released when what is under way has been recorded. */
  retire(tenure: Tenure): void {
    if (tenure.state === 'held') tenure.state = 'leaving';
  }

  /** Hands over one shard after the other as they come to rest, until none is left or the time is up. */
  async handOver({ endMs, onError }: { endMs: number; onError: (error: unknown) => void }): Promise<void> {
    const { clock } = this.#settings;
    while (this.#tenures.size > 0 && clock.monotonicMs() < endMs) {
      await Promise.race([this.runOnce().catch(onError), clock.sleep(endMs - clock.monotonicMs())]);
      if (this.#tenures.size > 0) await clock.sleep(handOverEveryMs);
    }
  }

  /** From now on nothing is claimed, and every shard is released as soon as it is quiet. */
  leaveAll(): void {
    this.#stopping = true;
    for (const tenure of this.#tenures.values()) tenure.state = 'leaving';
  }

  /** Gives up whatever is left and ends the lease, so that others need not wait for it to run out. */
  async close(): Promise<void> {
    this.leaveAll();
    this.#end([...this.#tenures.values()]);
    this.#deadlineMs = Number.NEGATIVE_INFINITY;
    if (this.#announced) await this.#settings.store.removeWorker(this.#workerId);
    this.#registered = false;
    this.#announced = false;
  }

  async #leave(): Promise<void> {
    if (!this.#saidLeaving) await this.#settings.store.leaveWorker(this.#workerId);
    this.#saidLeaving = true;
    await this.#releaseQuiet();
  }

  /** True while the lease stands. */
  async #renew(): Promise<boolean> {
    const { store, clock, leaseMs } = this.#settings;
    const leftAtMs = clock.monotonicMs();
    if (!this.#registered) {
      if (this.#stopping) return false;
      if (this.#announced) await this.#beginAnew();
      this.#announced = true;
      await store.registerWorker({ id: this.#workerId, host: hostname(), pid: process.pid });
      this.#registered = true;
    } else if (leftAtMs - this.#beatAtMs < leaseMs / 3) {
      return true;
    }
    const databaseNowMs = await store.beatWorker(this.#workerId);
    if (databaseNowMs === undefined) {
      this.#registered = false;
      this.#announced = false;
      this.#workerId = this.#newWorkerId();
      this.#deadlineMs = Number.NEGATIVE_INFINITY;
      this.#unclear = false;
      this.#end([...this.#tenures.values()]);
      return false;
    }
    const lapsed = clock.monotonicMs() >= this.#deadlineMs;
    this.#beatAtMs = leftAtMs;
    this.#deadlineMs = leftAtMs + leaseMs * (1 - leaseMarginShare);
    this.#settings.onBeat?.({ databaseNowMs, lapsed });
    return true;
  }

  /**
   * Whether the database knows this worker was not heard, and by now it may have been removed as silent. Registered a
   * second time, it would take what was granted to it before for its own still, though others have it.
   */
  async #beginAnew(): Promise<void> {
    const unheard = this.#workerId;
    this.#workerId = this.#newWorkerId();
    await this.#settings.store.removeWorker(unheard);
  }

  /** The ids of the live workers. One that has been silent for a full lease is removed. */
  async #watch(beats: ReadonlyMap<string, string>): Promise<string[]> {
    const { store, clock, leaseMs } = this.#settings;
    const nowMs = clock.monotonicMs();
    for (const id of this.#watched.keys()) if (!beats.has(id)) this.#watched.delete(id);
    // While the database was away nobody could beat. Whoever comes back first must not take the others for silent.
    if (nowMs - this.#watchedAtMs > leaseMs * watchGapShare) this.#watched.clear();
    this.#watchedAtMs = nowMs;
    const live: string[] = [];
    for (const [id, beat] of beats) {
      const seen = this.#watched.get(id);
      if (id === this.#workerId || seen?.beat !== beat) {
        this.#watched.set(id, { beat, sinceMs: nowMs });
      } else if (nowMs - seen.sinceMs >= leaseMs && (await store.removeSilentWorker({ id, beat }))) {
        this.#watched.delete(id);
        continue;
      }
      live.push(id);
    }
    return live;
  }

  async #claim(wanted: number, removedWorkers: string[]): Promise<void> {
    if (wanted <= 0) return;
    const free = await this.#settings.store.readFreeShards(removedWorkers);
    const others = free.filter(({ shard }) => !this.#tenures.has(shard));
    await this.#claims.run(others, wanted);
  }

  async #claimAll(free: ShardEpoch[], lockMs: number): Promise<boolean> {
    this.#unclear = true;
    const claimed = await this.#settings.store.claimShards({ workerId: this.#workerId, free, lockMs });
    this.#unclear = false;
    if (claimed === undefined) return false;
    this.#begin(claimed);
    return true;
  }

  /**
   * The answer to a claim or a release was lost, so the database may name this worker as owner of shards of
   * which it knows nothing. They are claimed anew: a tenure needs an epoch of its own.
   */
  async #settle(): Promise<void> {
    const { store } = this.#settings;
    const owned = await store.readOwnedShards(this.#workerId);
    const unknown = owned.filter(({ shard }) => !this.#tenures.has(shard));
    await this.#claims.run(unknown, unknown.length);
    this.#unclear = false;
  }

  #begin(claimed: ShardEpoch[]): void {
    if (claimed.length === 0) return;
    const sinceMs = this.#settings.clock.monotonicMs();
    const tenures = claimed.map((claim) => new Tenure({ ...claim, sinceMs }));
    for (const tenure of tenures) {
      // A claim that was under way when the worker began to stop is handed over like the others.
      if (this.#stopping) tenure.state = 'leaving';
      this.#tenures.set(tenure.shard, tenure);
    }
    this.#settings.onClaimed(tenures);
  }

  async #releaseQuiet(): Promise<void> {
    const quiet = [...this.#tenures.values()].filter((tenure) => tenure.state === 'leaving' && tenure.quiet);
    if (quiet.length === 0) return;
    // Ended first: whether or not the answer arrives, nothing more may be done for these shards.
    this.#end(quiet);
    const shards = quiet.map(({ shard, epoch }) => ({ shard, epoch }));
    this.#unclear = true;
    await this.#releases.run(shards, shards.length);
    this.#unclear = false;
  }

  /** One that stays locked is found to be owned still, and claimed when it is free: it may be released then. */
  async #releaseAll(shards: ShardEpoch[], lockMs: number): Promise<boolean> {
    return await this.#settings.store.releaseShards({ workerId: this.#workerId, shards, lockMs });
  }

  #end(tenures: Tenure[]): void {
    if (tenures.length === 0) return;
    for (const tenure of tenures) {
      tenure.state = 'ended';
      this.#tenures.delete(tenure.shard);
    }
    this.#settings.onLost(tenures);
  }
}

/** Shares differ by one at most, and follow from the ids alone, so that they add up to all shards. */
export function fairShare(workerId: string, live: readonly string[], shards: number = limits.shards): number {
  const ids = [...new Set([...live, workerId])].sort();
  const share = Math.floor(shards / ids.length);
  return share + (ids.indexOf(workerId) < shards % ids.length ? 1 : 0);
}
