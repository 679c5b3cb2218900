import type { Clock } from '../../lib/clock.ts';
import type { LiveSnapshot } from './live-snapshot.ts';

const everyMs = 1_000;

export interface LiveFeedSettings<Account> {
  clock: Clock;
  snapshot: () => Promise<LiveSnapshot>;
  /** What one account is told of it, as the bytes of an event. */
  event: (snapshot: LiveSnapshot, account: Account) => string;
  /** What all are told when it could not be taken. */
  trouble: (error: unknown) => string;
}

/**
 * Tells those who watch, once a second. The snapshot is made once for all of them, and each account's event once for all
 * that watch it; nothing is read while nobody watches.
 */
export class LiveFeed<Account> {
  readonly #settings: LiveFeedSettings<Account>;
  readonly #watchers = new Set<{ account: Account; tell: (event: string) => void }>();
  #running = false;
  #latest: { snapshot: LiveSnapshot; atMs: number } | undefined;

  constructor(settings: LiveFeedSettings<Account>) {
    this.#settings = settings;
  }

  /** The answer ends it. Whoever comes between two turns is told the last one at once. */
  watch(account: Account, tell: (event: string) => void): () => void {
    const watcher = { account, tell };
    this.#watchers.add(watcher);
    const { clock, event } = this.#settings;
    if (this.#latest && clock.monotonicMs() - this.#latest.atMs < everyMs) {
      tell(event(this.#latest.snapshot, account));
    }
    if (!this.#running) void this.#run();
    return () => this.#watchers.delete(watcher);
  }

  async #run(): Promise<void> {
    const { clock } = this.#settings;
    this.#running = true;
    while (this.#watchers.size > 0) {
      const beganAtMs = clock.monotonicMs();
      const tell = await this.#turn();
      for (const { account, tell: to } of [...this.#watchers]) to(tell(account));
      // A turn that takes long leaves the database as much time as it took.
      const tookMs = clock.monotonicMs() - beganAtMs;
      await clock.sleep(Math.max(everyMs - tookMs, tookMs));
    }
    this.#running = false;
  }

  async #turn(): Promise<(account: Account) => string> {
    const { clock, snapshot, event, trouble } = this.#settings;
    try {
      const taken = await snapshot();
      this.#latest = { snapshot: taken, atMs: clock.monotonicMs() };
      const events = new Map<Account, string>();
      return (account) => {
        const made = events.get(account) ?? event(taken, account);
        events.set(account, made);
        return made;
      };
    } catch (error) {
      const text = trouble(error);
      return () => text;
    }
  }
}
