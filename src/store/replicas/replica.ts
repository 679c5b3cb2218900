import type { Clock } from '../../lib/clock.ts';
import { type Call, type Database, DatabaseError, type Queryable } from '../database.ts';
import { type Fault, faultOf } from '../fault.ts';
import { type CheckedAnswer, checkedRead } from './checked-read.ts';
import type { LagHistory } from './lag-history.ts';
import { misplaced, type Obstacle } from './obstacle.ts';
import {
  type DatabaseIdentity,
  type ReplicaPosition,
  readReplicaPosition,
  type ServerName,
  type WalPosition,
} from './read-positions.ts';

export interface ReplicaSettings {
  /** For logs and figures: its address without name and password. */
  name: string;
  /** Answers reads. Each of its connections is told of by `meet` before it is used. */
  database: Database;
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
/**
 * When no connection has met another server for this long, all that there are lead to one: a pool keeps none that is
 * idle for more than 10 s, and each that is used tells its server anew.
 */
const oneServerMs = 60_000;
/** One that was left out for its lag comes back at this part of the limit, so that it does not come and go. */
const comeBackPart = 0.5;

/**
 * A standby of the primary that answers reads. It is used while it is known to be one, on the primary's timeline, and
 * not too far behind. Where its address turns out to lead to several servers, a balancer, what was measured on one
 * connection says nothing of the others: then each statement asks the server that it is made on, in the same transaction.
 * A connection that breaks ends that until it is measured anew: a standby that crashed may come
 * back with less than it had replayed.
 */
export class Replica {
  readonly name: string;
  readonly #settings: ReplicaSettings;
  #place: WalPosition | undefined;
  /** The server whose place that is. */
  #measuredServer: ServerName | undefined;
  /** The one that a connection met last. */
  #server: ServerName | undefined;
  #leadsToSeveral = false;
  #metAnotherAtMs = 0;
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

  /** Whether it certainly shows everything up to a place, or is asked for that by each read. */
  mayShow(place: WalPosition): boolean {
    if (this.#leadsToSeveral) return true;
    return this.#place?.timeline === place.timeline && this.#place.position >= place.position;
  }

  /** Asks it where it is; calls that come while it is asked share the answer. Never rejects. */
  measure(): Promise<void> {
    this.#measuring ??= this.#measureOnce().finally(() => {
      this.#measuring = undefined;
    });
    return this.#measuring;
  }

  /** A connection to its address leads to this server. */
  meet(server: ServerName): void {
    if (this.#server !== undefined && this.#server !== server) {
      this.#leadsToSeveral = true;
      this.#metAnotherAtMs = this.#settings.clock.monotonicMs();
    }
    this.#server = server;
  }

  /**
   * The statements of one read, which has to show what lies before `place`, and none of them less than the one before.
   * One that the replica cannot make so is rejected.
   */
  read(place: WalPosition | undefined): Queryable {
    let floor = place;
    let unchecked = false;
    return {
      query: async (statement, values = []) => {
        if (this.#leadsToSeveral) {
          // How much a statement has seen that was made before that was known, nothing tells.
          if (unchecked) throw shownTooLittle();
          const answer = await this.#readChecked({ statement, values }, floor);
          floor = answer.end;
          return answer as never;
        }
        unchecked = true;
        const answer = await this.#ask((database) => database.query(statement, values));
        // The connection may have been made for it, and have led to another server.
        if (this.#leadsToSeveral) throw shownTooLittle();
        return answer as never;
      },
    };
  }

  async #readChecked(call: Call, floor: WalPosition | undefined): Promise<CheckedAnswer> {
    const answer = await this.#ask((database) =>
      checkedRead(database, call, (found) => {
        this.meet(found.server);
        return this.#isGoodEnough(found, floor);
      }),
    );
    const quietMs = this.#settings.clock.monotonicMs() - this.#metAnotherAtMs;
    if (quietMs > oneServerMs) this.#leadsToSeveral = false;
    if (!answer) throw shownTooLittle();
    return answer;
  }

  /** @throws DatabaseError of a lost connection for a server that is of no use: the next one may lead to a better one. */
  #isGoodEnough(found: ReplicaPosition, floor: WalPosition | undefined): boolean {
    const { primary, history, clock, lagMaxMs } = this.#settings;
    const { replayed } = found;
    if (misplaced(found, primary) || !replayed) throw shownTooLittle({ connectionLost: true });
    const behindMs = history.behindMs(replayed, clock.monotonicMs());
    if (behindMs === undefined || behindMs > lagMaxMs) throw shownTooLittle({ connectionLost: true });
    return !floor || (replayed.timeline === floor.timeline && replayed.position >= floor.position);
  }

  async #ask<Answer>(work: (database: Database) => Promise<Answer>): Promise<Answer> {
    let giveUp: (error: DatabaseError) => void = () => {};
    const lost = new Promise<never>((_, reject) => {
      giveUp = reject;
    });
    this.#reads.add(giveUp);
    try {
      return await Promise.race([work(this.#settings.database), lost]);
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
    this.meet(found.server);
    if (found.server !== this.#measuredServer) this.#place = undefined;
    this.#measuredServer = found.server;
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
    if (wrong?.kind === 'primary' && this.#leadsToSeveral) return undefined;
    if (wrong) return wrong;
    const replayed = found.replayed!;
    const behindMs = history.behindMs(replayed, clock.monotonicMs());
    this.#behindMs = behindMs;
    // The others may be better, which each read finds out.
    if (this.#leadsToSeveral) return undefined;
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

function isGone({ kind, code, connectionLost }: Fault): boolean {
  if (code === tooLittle) return false;
  return connectionLost || kind === 'unavailable' || kind === 'refused';
}

const tooLittle = 'SHOWN_TOO_LITTLE';

function shownTooLittle({ connectionLost = false } = {}): DatabaseError {
  const message = 'the server that the replica’s address led to does not show enough';
  const fault: Fault = {
    ...{ kind: 'unavailable', code: tooLittle, message },
    ...{ connectionLost, ambiguous: false },
  };
  return new DatabaseError(fault, undefined);
}
