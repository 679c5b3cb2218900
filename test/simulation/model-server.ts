import { ModelDatabase, type Session } from './model-database.ts';
import type { Scheduler } from './scheduler.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { Trace } from './trace.ts';
import type { Weather } from './weather.ts';

/** A transaction that hears nothing from its client for so long is rolled back, as `openDatabase` asks for. */
const idleInTransactionMs = 1_500;
const slowCommitMsMax = 2_500;
/** The clocks of two primaries may differ by so much. */
const clockStepMs = 2_000;
/** 2026-09-21, so that ids look like those of a real installation. */
const beginsAtMs = 1_790_000_000_000;

/** A database server: tables, a clock of its own, commits that take their time, and an end that may come. */
export class ModelServer {
  readonly database: ModelDatabase;
  readonly scheduler: Scheduler;
  readonly random: SeededRandom;
  readonly trace: Trace;
  weather: Weather;
  /** How often it was replaced by one with another clock. */
  crashes = 0;
  #away = false;
  #clockStepMs = 0;

  constructor(settings: {
    shards: number;
    scheduler: Scheduler;
    random: SeededRandom;
    trace: Trace;
    weather: Weather;
  }) {
    this.database = new ModelDatabase({ shards: settings.shards });
    this.scheduler = settings.scheduler;
    this.random = settings.random;
    this.trace = settings.trace;
    this.weather = settings.weather;
  }

  get away(): boolean {
    return this.#away;
  }

  get nowMs(): number {
    return beginsAtMs + this.scheduler.nowMs + this.#clockStepMs;
  }

  begin(name: string): Session {
    return this.database.begin(name);
  }

  /** Ends the transaction when its client is silent for too long. */
  watch(session: Session, lastHeardMs: () => number): void {
    const waitMs = lastHeardMs() + idleInTransactionMs - this.scheduler.nowMs;
    if (waitMs <= 0) {
      this.database.abort(session);
      return;
    }
    this.scheduler.after(waitMs, () => {
      if (!session.ended) this.watch(session, lastHeardMs);
    });
  }

  /** Commits, at once or after a while in which nothing of it is seen and its locks are held. */
  commit(session: Session, committed: () => void): void {
    const finish = () => {
      if (session.ended) return;
      if (session.writes.length > 0) this.trace.note('database', 'commits', session.name);
      this.database.commit(session);
      committed();
    };
    if (session.writes.length === 0 || !this.random.chance(this.weather.commitSlow)) {
      finish();
      return;
    }
    session.committing = true;
    this.scheduler.after(this.random.between(5, slowCommitMsMax), finish);
  }

  /** The server is gone for a while; the one that takes its place has another clock. */
  crash(forMs: number): void {
    this.#away = true;
    this.crashes++;
    this.trace.note('database', 'crashes');
    this.database.crash(() => this.random.chance(0.5));
    this.#clockStepMs = this.random.between(-clockStepMs / 2, clockStepMs / 2);
    this.scheduler.after(forMs, () => {
      this.#away = false;
      this.trace.note('database', 'is back');
    });
  }
}
