import { ApiError, mayPass } from './client-error.ts';
import type { Http } from './http.ts';
import type { ChangeEvent } from './resources/change-event.ts';
import { retryWaitMs, wait } from './retry-wait.ts';

export interface EventOptions {
  /** A `cursor` from before, or `now`. Without it the feed begins with the oldest change that is kept. */
  after?: string;
  /** Waits for further changes at the end, and through outages of the server. Default true; false ends there. */
  follow?: boolean;
  /** Between two looks at the end of the feed. Default 1,000 ms. */
  pollMs?: number;
  /** Events of a page: 1,000 at most. Default 100. */
  limit?: number;
  /** Called before the feed is asked again after an outage. */
  onRetry?(event: { error: Error; waitMs: number }): void;
  signal?: AbortSignal | undefined;
}

export interface EventPage {
  data: ChangeEvent[];
  /** Where to go on. */
  next: string;
}

/**
 * Every change of state of the account's messages and batches, in the order in which they were committed. After a
 * failover or a restore of the database the last ones may come again, with the `id` that they had. The first `queued` of
 * a message and the first `open` of a batch are no change, and `sending` is told on routes that hold what is uncertain.
 * A batch that is canceled is told as that, and not as `done` later.
 */
export interface EventFeed extends AsyncIterable<ChangeEvent> {
  /**
   * Where to go on so that nothing is missed: to be kept when the last event that was handed out is dealt with. Within a
   * page it stands before that page, whose events then come again. Undefined at the beginning of all.
   */
  readonly cursor: string | undefined;
  /** Page by page, each with the cursor behind it: deal with both in one transaction, and no event comes twice. */
  pages(): AsyncGenerator<EventPage, void, undefined>;
}

const pollDefaultMs = 1_000;
const waitMaxMs = 10_000;

export function eventFeed(http: Http, options: EventOptions): EventFeed {
  let cursor = options.after;

  async function* pages(): AsyncGenerator<EventPage, void, undefined> {
    const { follow = true, pollMs = pollDefaultMs } = options;
    const signal = options.signal ?? http.signal;
    for (let failures = 0; ; ) {
      let page: EventPage;
      try {
        page = await http.value({
          path: '/v1/events',
          query: { after: cursor, limit: options.limit },
          signal,
        });
        failures = 0;
      } catch (error) {
        if (!follow || signal?.aborted || !mayPass(error)) throw error;
        const retryAfterMs = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
        const waitMs = retryWaitMs(++failures, waitMaxMs) + retryAfterMs;
        options.onRetry?.({ error, waitMs });
        await wait(waitMs, signal);
        continue;
      }
      const isBeginning = cursor === 'now';
      if (page.data.length > 0) yield page;
      cursor = page.next;
      if (page.data.length > 0 || isBeginning) continue;
      if (!follow) return;
      await wait(pollMs, signal);
    }
  }

  return {
    get cursor() {
      return cursor;
    },
    pages,
    async *[Symbol.asyncIterator]() {
      for await (const { data, next } of pages()) {
        for (const [index, event] of data.entries()) {
          if (index === data.length - 1) cursor = next;
          yield event;
        }
      }
    },
  };
}
