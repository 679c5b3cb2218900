import type { Client } from '../client/client.ts';
import { backoff } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { DrainWork, waits } from './drain-work.ts';
import { type OutboxSession, type Reason, SessionLostError } from './outbox-session.ts';

export interface DrainerSettings {
  open: () => Promise<OutboxSession>;
  /** It makes one try of each call. */
  client: Client;
  clock: Clock;
  random: () => number;
  /** Between looks at a staging table in which there is nothing. */
  pollMs: number;
  /** Tries of one request after which `runOnce` gives up. */
  triesMax: number;
  log: DrainerLog;
}

/** What a drainer tells while it works. */
export interface DrainerLog {
  /** This drainer works now, with so many requests that were left to it. */
  working(event: { left: number }): void;
  /** Another one works. */
  standingBy(): void;
  moved(event: { accepted: number; ageMs: number }): void;
  /** Messages that are not tried again, of one request and for one reason. */
  setAside(event: Reason & { messages: number; firstId: number }): void;
  /** Millrace takes these messages later: a quota, a balance or its load keeps them. */
  heldBack(event: Reason & { messages: number; waitMs: number }): void;
  databaseAway(event: { error: Error; waitMs: number }): void;
  millraceAway(event: { error: Error; waitMs: number }): void;
}

const standbyMs = 1_000;
/** What was posted when a drainer is stopped gets so long to be answered. */
const stopMaxMs = 10_000;

/**
 * Moves staged messages into Millrace, each once. What is staged is first taken out of the staging table and kept as a
 * request whose bytes and idempotency key are fixed, in one transaction; then the request is posted until its answer is
 * known; then it is forgotten. So whoever dies in between leaves a request that another posts again under the same key.
 * Requests are posted one after another, in the order of their ids.
 */
export class Drainer {
  readonly #settings: DrainerSettings;

  constructor(settings: DrainerSettings) {
    this.#settings = settings;
  }

  /** Works, or stands by for the one that does, until the signal is raised. @throws OutboxError, ApiError for what waiting does not mend */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, random } = this.#settings;
    for (let failures = 0; !signal.aborted; ) {
      try {
        await this.#withSession(async (session) => {
          await this.#awaitTurn(session, signal);
          const onStep = () => {
            failures = 0;
          };
          await this.#work(session, { signal, isBack: failures > 0, onStep });
        });
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof SessionLostError)) throw error;
        failures++;
        const waitMs = backoff({ attempt: failures, ...waits, random });
        log.databaseAway({ error, waitMs });
        await clock.sleep(waitMs, signal).catch(() => {});
      }
    }
  }

  /** Moves what is staged now, and ends. False where another drainer works. */
  async runOnce(signal: AbortSignal): Promise<boolean> {
    return await this.#withSession(async (session) => {
      if (!(await session.tryLock())) return false;
      const { triesMax } = this.#settings;
      await this.#working(session, { signal, triesMax }, async (work, left) => {
        this.#settings.log.working({ left });
        while (await work.step()) signal.throwIfAborted();
      });
      return true;
    });
  }

  async #withSession<Result>(work: (session: OutboxSession) => Promise<Result>): Promise<Result> {
    const session = await this.#settings.open();
    try {
      return await work(session);
    } finally {
      await session.end();
    }
  }

  async #awaitTurn(session: OutboxSession, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#settings;
    for (let told = false; !(await session.tryLock()); told = true) {
      if (!told) log.standingBy();
      await clock.sleep(standbyMs, signal);
    }
  }

  /** After a failure it is said to work only when it does: a database that is read-only lets itself be read. */
  async #work(
    session: OutboxSession,
    { signal, isBack, onStep }: { signal: AbortSignal; isBack: boolean; onStep: () => void },
  ): Promise<void> {
    const { clock, pollMs, log } = this.#settings;
    await this.#working(session, { signal, triesMax: Number.POSITIVE_INFINITY }, async (work, left) => {
      let isTold = !isBack;
      if (isTold) log.working({ left });
      while (!signal.aborted) {
        const hasMore = await work.step();
        onStep();
        if (!isTold) log.working({ left });
        isTold = true;
        if (!hasMore) await clock.sleep(pollMs, signal);
      }
    });
  }

  /** What is being posted ends with the session, and a while after it was told to stop. */
  async #working(
    session: OutboxSession,
    { signal, triesMax }: { signal: AbortSignal; triesMax: number },
    drain: (work: DrainWork, left: number) => Promise<void>,
  ): Promise<void> {
    const { client, clock, random, log } = this.#settings;
    const ended = new AbortController();
    const end = () => ended.abort(signal.reason);
    const onStop = () => clock.after(stopMaxMs, end);
    signal.addEventListener('abort', onStop, { once: true });
    const stops = { stop: signal, ended: ended.signal };
    try {
      const work = new DrainWork({ session, client, clock, random, log, triesMax, ...stops });
      await drain(work, await work.begin());
    } finally {
      signal.removeEventListener('abort', onStop);
      end();
    }
  }
}
