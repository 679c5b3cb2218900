import type { Clock } from '../../lib/clock.ts';
import type { PaceGrant, PaceReport, Shares } from '../../store/delivery/pace-grants.ts';
import type { PaceStore } from '../delivery-store.ts';
import { ConnectionTurns } from './connection-turns.ts';
import { allElse, planGrants, type SharedLimit, shareIn } from './plan-grants.ts';
import { urgentKey } from './share-keys.ts';

export interface PaceSharesSettings {
  store: PaceStore;
  clock: Clock;
  workerId: () => string;
  /** This worker's epoch of shard 0 while it owns it: its owner decides on all shares. */
  leadingEpoch: () => number | undefined;
  /** There was no other worker at the last look. */
  isAlone: () => boolean;
  /** What this worker could use, by key, in a second or at once. */
  demand: () => Record<string, number>;
  /** Of connections, the parts that are in use, by key. */
  inUse: () => Shares;
  limitOf: (key: string) => SharedLimit | undefined;
  /** Shares are other ones now. */
  onChange: () => void;
}

const noGrant: PaceGrant = { version: 0, shares: {} };
/** Says that its grant is void: the worker leaves, and begins nothing any more. */
const leftVersion = -1;
/** An unchanged report is written again after so long, in case a database that took another's place lacks it. */
const reportAgainMs = 15_000;

/**
 * This worker's shares of what is limited: leased by grants, which follow demand, and worth nothing without
 * one. The owner of shard 0 also decides on everybody's; `plan-grants.ts` says how they never add up to more
 * than there is.
 */
export class PaceShares {
  readonly #settings: PaceSharesSettings;
  readonly #turns = new ConnectionTurns();
  #workerId = '';
  #grant = noGrant;
  #reported = { text: '', atMs: 0 };
  #reportSeq = 0;
  #running: Promise<void> | undefined;
  /** Alone, with everything: there is nothing to do until another worker comes. */
  #atRest = false;

  constructor(settings: PaceSharesSettings) {
    this.#settings = settings;
  }

  /** From 0 to 1. */
  shareOf(key: string): number {
    return this.#workerId === this.#settings.workerId() ? shareIn(this.#grant.shares, key) : 0;
  }

  /** A worker that lost its lease begins anew under another id: its shares are others' by then. */
  noteWorkerId(): void {
    const workerId = this.#settings.workerId();
    if (workerId === this.#workerId) return;
    this.#workerId = workerId;
    this.#grant = noGrant;
    this.#reported.text = '';
    this.#atRest = false;
    this.#settings.onChange();
  }

  /** One turn; while one runs, a call shares it. */
  runOnce(): Promise<void> {
    this.#running ??= this.#turn().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /**
   * Nothing begins any more: what this worker has goes to the others, but for what is on its way. To be called again
   * while requests are answered.
   */
  async leave(): Promise<void> {
    // Whoever called the turn hears of its failure.
    await this.#running?.catch(() => undefined);
    if (this.#workerId === '' || this.#atRest) return;
    const shares = { [allElse]: 0, ...this.#settings.inUse() };
    await this.#report({ demand: {}, used: { version: leftVersion, shares } });
  }

  async #turn(): Promise<void> {
    const { store, isAlone, leadingEpoch } = this.#settings;
    this.noteWorkerId();
    const workerId = this.#workerId;
    const epoch = leadingEpoch();
    if (this.#atRest && isAlone() && epoch !== undefined) return;
    this.#atRest = false;
    const grant =
      epoch === undefined ? await store.readPaceGrant(workerId) : await this.#lead(workerId, epoch);
    if (workerId !== this.#settings.workerId()) return;
    if (grant !== undefined && grant.version > this.#grant.version) {
      this.#grant = grant;
      this.#settings.onChange();
    }
    if (!this.#atRest) await this.#report({ demand: this.#settings.demand(), used: this.#used() });
  }

  /** Decides on all shares; the answer is this worker's own grant. */
  async #lead(workerId: string, epoch: number): Promise<PaceGrant | undefined> {
    const { store, clock, limitOf } = this.#settings;
    const state = await store.readPace();
    const nowMs = clock.monotonicMs();
    const demands = new Map(state.workers.map(({ id, report }) => [id, report?.demand]));
    const inTurn = (key: string, workers: readonly string[], total: number) => {
      const isUrgent = (worker: string) => urgentKey(key) in (demands.get(worker) ?? {});
      return this.#turns.inTurn(key, workers, { nowMs, total, isUrgent });
    };
    const { grants, gone } = planGrants({ state, limitOf, inTurn });
    const present = state.grants.get(workerId);
    this.#atRest = grants.length + gone.length === 0 && state.workers.length === 1 && isWhole(present);
    if (grants.length + gone.length === 0) return present;
    const granted = await store.grantPace({ epoch, round: state.round, grants, gone });
    return (granted && grants.find((grant) => grant.workerId === workerId)) || present;
  }

  /** What may be in use: more than the grant while requests of a larger one are on their way. */
  #used(): PaceGrant {
    const shares = { ...this.#grant.shares };
    for (const [key, share] of Object.entries(this.#settings.inUse())) {
      if (share > shareIn(this.#grant.shares, key)) shares[key] = share;
    }
    return { version: this.#grant.version, shares };
  }

  async #report(report: PaceReport): Promise<void> {
    const { store, clock } = this.#settings;
    const text = JSON.stringify(report);
    const nowMs = clock.monotonicMs();
    if (text === this.#reported.text && nowMs - this.#reported.atMs < reportAgainMs) return;
    // One that fails may come late, so the next one is written whatever it says.
    this.#reported.text = '';
    const seq = ++this.#reportSeq;
    const workerId = this.#workerId;
    await store.reportPace({ workerId, ...report, seq });
    if (workerId === this.#workerId) this.#reported = { text, atMs: nowMs };
  }
}

function isWhole(grant: PaceGrant | undefined): boolean {
  return grant !== undefined && Object.keys(grant.shares).length === 1 && grant.shares[allElse] === 1;
}
