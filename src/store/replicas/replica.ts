import type { Clock } from '../../lib/clock.ts';
import { DatabaseError, type Queryable, type Statement } from '../database.ts';
import { type Fault, faultOf } from '../fault.ts';
import type { LagHistory } from './lag-history.ts';
import { misplaced, type Obstacle } from './obstacle.ts';
import {
  type DatabaseIdentity,
  type ReplicaPosition,
  readReplicaPosition,
  type WalPosition,
} from './read-positions.ts';

export interface ReplicaSettings {
  /** For logs and figures: its address without name and password. */
  name: string;
  /** Answers reads. */
  database: Queryable;
  /** A connection of its own, so that the measuring does not wait for reads. */
  watch: Queryable;
  /** What the primary has: a replica has to have the same. */
  primary: DatabaseIdentity;
  history: LagHistory;
  clock: Clock;
  lagMaxMs: number;
  onChange: (obstacle: Obstacle | undefined) => void;
}

/** What was measured this long ago no longer stands: the server behind the address may be another one. */
const measuredMaxMs = 2_000;
/** One that was left out for its lag comes back at this part of the limit, so that it does not come and go. */
const comeBackPart = 0.5;

/**
 * A standby of the primary that answers reads. It is used while it is known to be one, on the primary's timeline, and
 * not too far behind. A connection that breaks ends that until it is measured anew: a standby that crashed may come
 * back with less than it had replayed.
 */
export class Replica {
  readonly name: string;
  readonly #settings: ReplicaSettings;
  #place: WalPosition | undefined;
  #behindMs: number | undefined;
  #measuredAtMs = Number.NEGATIVE_INFINITY;
  #obstacle: Obstacle | undefined = { kind: 'unasked', says: 'was not asked yet' };
  #measuring: Promise<void> | undefined;
  /** Raised with each loss: a measurement that was begun before says nothing any more. */
  #losses = 0;
  /** Reads under way, each to be given up when the replica is lost. */
  readonly #reads = new Set<(error: DatabaseError) => void>();

  constructor(settings: ReplicaSettings) {
    this.name = settings.name;
    this.#settings = settings;
  }

  get obstacle(): Obstacle | undefined {
    return this.#obstacle;
  }

  /** For how long it has lacked something; undefined when that is not known. */
  get behindMs(): number | undefined {
    return this.#behindMs;
  }

  /** Of the primary's log, what it has not replayed; undefined when it is not known. */
  get behindBytes(): number | undefined {
    const end = this.#settings.history.last();
    if (!end || this.#place?.timeline !== end.timeline) return undefined;
    const bytes = Number(end.position - this.#place.position);
    return Math.max(0, bytes);
  }

  isUsable(): boolean {
    const age = this.#settings.clock.monotonicMs() - this.#measuredAtMs;
    return this.#obstacle === undefined && age <= measuredMaxMs;
  }

  /** Whether it certainly shows everything up to a place. */
  hasReplayed(place: WalPosition): boolean {
    return this.#place?.timeline === place.timeline && this.#place.position >= place.position;
  }

  /** Asks it where it is; calls that come while it is asked share the answer. Never rejects. */
  measure(): Promise<void> {
    this.#measuring ??= this.#measureOnce().finally(() => {
      this.#measuring = undefined;
    });
    return this.#measuring;
  }

  async query(statement: Statement, values: readonly unknown[] = []) {
    const { database } = this.#settings;
    let giveUp: (error: DatabaseError) => void = () => {};
    const lost = new Promise<never>((_, reject) => {
      giveUp = reject;
    });
    this.#reads.add(giveUp);
    try {
      return await Promise.race([database.query(statement, values), lost]);
    } catch (error) {
      if (error instanceof DatabaseError && isGone(error.fault)) this.lose(error.fault);
      throw error;
    } finally {
      this.#reads.delete(giveUp);
    }
  }

  /** A connection to it broke, or it refuses them: what was measured before says nothing any more. */
  lose(fault: Fault): void {
    this.#losses++;
    this.#place = undefined;
    this.#behindMs = undefined;
    this.#become({ kind: 'away', says: `does not answer (${fault.message})` });
  }

  async #measureOnce(): Promise<void> {
    const { watch, clock } = this.#settings;
    const losses = this.#losses;
    const askedAtMs = clock.monotonicMs();
    let found: ReplicaPosition;
    try {
      found = await readReplicaPosition(watch);
    } catch (error) {
      return this.#fallSilent(error instanceof DatabaseError ? error.fault : faultOf(error));
    }
    if (losses !== this.#losses) return;
    // It may have replayed more meanwhile, never less.
    found = { ...found, replayed: this.#onItsTimeline(found.replayed) };
    this.#place = found.replayed ?? undefined;
    this.#measuredAtMs = askedAtMs;
    this.#become(this.#judge(found));
  }

  /**
   * One whose receiver has ended, as with the primary, tells of its last restart point's timeline, which may be minutes
   * old. What was seen since it was lost last stands: a standby that goes on does not leave its timeline for an earlier one.
   */
  #onItsTimeline(replayed: WalPosition | null): WalPosition | null {
    return replayed && { ...replayed, timeline: Math.max(replayed.timeline, this.#place?.timeline ?? 0) };
  }

  /** What is on its way to a machine that is gone would wait for its time limit. */
  #fallSilent(fault: Fault): void {
    this.lose(fault);
    const error = new DatabaseError({ ...fault, kind: 'unavailable', connectionLost: true }, undefined);
    for (const giveUp of [...this.#reads]) giveUp(error);
  }

  #judge(found: ReplicaPosition): Obstacle | undefined {
    const { primary, history, clock, lagMaxMs } = this.#settings;
    const wrong = misplaced(found, primary);
    if (wrong) return wrong;
    const replayed = found.replayed!;
    const behindMs = history.behindMs(replayed, clock.monotonicMs());
    this.#behindMs = behindMs;
    if (behindMs === undefined) {
      const primarys = history.last()?.timeline ?? 'one that is not known';
      return { kind: 'timeline', says: `is on timeline ${replayed.timeline}, the primary on ${primarys}` };
    }
    const limitMs = this.#obstacle?.kind === 'behind' ? lagMaxMs * comeBackPart : lagMaxMs;
    if (behindMs <= limitMs) return undefined;
    return { kind: 'behind', says: `is ${(behindMs / 1_000).toFixed(1)} s behind` };
  }

  #become(obstacle: Obstacle | undefined): void {
    const before = this.#obstacle;
    this.#obstacle = obstacle;
    if (before?.kind !== obstacle?.kind) this.#settings.onChange(obstacle);
  }
}

function isGone({ kind, connectionLost }: Fault): boolean {
  return connectionLost || kind === 'unavailable' || kind === 'refused';
}
