export interface SignalOptions {
  signal?: AbortSignal | undefined;
}

/** Of a write. */
export interface CallOptions extends SignalOptions {
  /** One is made up when absent; `false` sends none, and gives up what it would have made safe to repeat. */
  idempotencyKey?: string | false;
}

/** Of a list, which is read page by page. */
export interface ListOptions extends SignalOptions {
  /** Items of a page: 200 at most. */
  limit?: number;
  /** `next` of an earlier page: begins behind it. */
  after?: string;
}
