import type { Client } from '../client/client.ts';
import { backoff } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { createSemaphore } from '../lib/semaphore.ts';
import type { DrainerLog } from './drainer.ts';
import {
  type FixedRequest,
  OutboxError,
  type OutboxSession,
  type Reason,
  type RejectedMessage,
  type StagedSize,
} from './outbox-session.ts';
import { type Posted, postMessages } from './post-request.ts';
import { sessionLimits } from './session-limits.ts';
import { StagedReader } from './staged-reader.ts';

/** Messages of one request: Millrace takes no more. */
const requestMessagesMax = 1_000;
/** Bytes of their texts, unless the first alone has more. */
const requestBytesMax = 4_194_304;
/** Longer ones Millrace does not take, and they are not read. */
const messageBytesMax = 65_536;
export const waits = { minMs: 100, maxMs: 10_000 };
/** A `Retry-After` until midnight is not waited out: the quota may be raised before. */
const retryAfterMsMax = 60_000;
/**
 * Millrace keeps an idempotency key for 24 hours. One that may have been used so long ago is not used again: the hour
 * is for clocks that go at different rates, and for the try itself.
 */
const keyUsableMs = 23 * 3_600_000;

const expired: Reason = {
  code: 'outcome_unknown',
  detail:
    'Millrace may have taken it, and after 24 hours does not know its idempotency key any more: look for it there before you stage it again',
};
const tooLong: Reason = { code: 'line_too_long', detail: `a message may have ${messageBytesMax} bytes` };

export interface DrainWorkSettings {
  session: OutboxSession;
  client: Client;
  clock: Clock;
  random: () => number;
  log: DrainerLog;
  triesMax: number;
  /** Nothing new is begun, and no wait goes on. */
  stop: AbortSignal;
  /** What is being posted is given up. */
  ended: AbortSignal;
}

interface Queued {
  /** With fewer messages, under another key, once the others are with Millrace. */
  request: FixedRequest;
  /** Whether Millrace may have it from before; then it is posted under its key or not at all. */
  uncertain: boolean;
  /** Since when Millrace may have it, monotonic; undefined where it certainly has not. */
  postedAtMs: number | undefined;
}

/** The work of the drainer that has the lock, on its session. */
export class DrainWork {
  readonly #settings: DrainWorkSettings;
  readonly #reader: StagedReader;
  /** A session does one thing at a time: the next request is fixed while this one is posted. */
  readonly #turns = createSemaphore(1);
  /** In the order in which they are posted. */
  #queue: Queued[] = [];

  constructor(settings: DrainWorkSettings) {
    this.#settings = settings;
    this.#reader = new StagedReader(settings.session, settings.clock);
  }

  /** Takes over what was fixed and not settled: so many requests. */
  async begin(): Promise<number> {
    const { session, clock } = this.#settings;
    const requests = await session.openRequests();
    this.#queue = requests.map((request) => {
      const { postedMsAgo } = request;
      const uncertain = postedMsAgo !== undefined;
      return { request, uncertain, postedAtMs: uncertain ? clock.monotonicMs() - postedMsAgo : undefined };
    });
    return requests.length;
  }

  /** Posts one request, and meanwhile fixes the next. False where there was nothing to do. */
  async step(): Promise<boolean> {
    const current = this.#queue.shift() ?? (await this.#fix({ posted: true }));
    if (!current) return false;
    const posting = this.#post(current);
    // Told below, or hidden by what else went wrong.
    posting.catch(() => {});
    if (this.#queue.length === 0 && !this.#settings.stop.aborted) {
      const next = await this.#fix({ posted: false });
      if (next) this.#queue.push(next);
    }
    const rejected = await posting;
    await this.#settle(current, rejected);
    this.#tell(current.request, { rejected });
    return true;
  }

  #tell(
    { messages, ageMs }: FixedRequest,
    { rejected, held = 0 }: { rejected: readonly RejectedMessage[]; held?: number },
  ) {
    const { log } = this.#settings;
    for (const code of new Set(rejected.map((message) => message.code))) {
      const alike = rejected.filter((message) => message.code === code);
      const { detail, stagedId } = alike[0]!;
      log.setAside({ code, detail, messages: alike.length, firstId: stagedId });
    }
    log.moved({ accepted: messages.length - rejected.length - held, ageMs });
  }

  async #settle({ request }: Queued, rejected: readonly RejectedMessage[]): Promise<void> {
    const { clock, stop } = this.#settings;
    const [next] = this.#queue;
    const marked = next?.postedAtMs === undefined && !stop.aborted ? next : undefined;
    await this.#turn((session) => session.settle(request, { rejected, next: marked?.request }));
    if (marked) marked.postedAtMs = clock.monotonicMs();
  }

  async #fix({ posted }: { posted: boolean }): Promise<Queued | undefined> {
    const request = await this.#turn((session) => this.#fixNext(session, posted));
    if (!request) return undefined;
    return { request, uncertain: false, postedAtMs: posted ? this.#settings.clock.monotonicMs() : undefined };
  }

  async #fixNext(session: OutboxSession, posted: boolean): Promise<FixedRequest | undefined> {
    const rows = await this.#reader.read(requestMessagesMax);
    const taken = prefixOf(rows);
    const ids = taken.map(({ id }) => id);
    const long = taken.filter(({ bytes }) => bytes > messageBytesMax).map(({ id }) => id);
    if (long.length > 0) {
      await session.refuse(long, tooLong);
      this.#settings.log.setAside({ ...tooLong, messages: long.length, firstId: long[0]! });
    }
    const request = long.length < ids.length ? await session.fix(ids, { posted }) : undefined;
    this.#reader.taken(ids, rows[taken.length]?.id);
    return request;
  }

  /** Until its answer is known, and nothing of it is held back; answers what was refused. */
  async #post(current: Queued): Promise<RejectedMessage[]> {
    const { clock, triesMax } = this.#settings;
    for (let tries = 1; ; tries++) {
      const { request } = current;
      if (current.postedAtMs === undefined) {
        await this.#turn((session) => session.markPosted(request));
        current.postedAtMs = clock.monotonicMs();
      }
      if (current.uncertain && clock.monotonicMs() - current.postedAtMs > keyUsableMs) {
        return refusedOf(request, { kind: 'unknown', reason: expired });
      }
      const posted = await this.#tryOnce(current);
      const again =
        posted.kind === 'settled' && posted.held.size > 0 ? await this.#keepHeld(current, posted) : posted;
      if (again === undefined) return [];
      if (again.kind !== 'again') return refusedOf(request, again);
      if (tries >= triesMax) throw again.error;
      await this.#wait(current.request, { again, tries });
    }
  }

  async #wait({ messages }: FixedRequest, { again, tries }: { again: Again; tries: number }): Promise<void> {
    const { log, random } = this.#settings;
    const { held, error, retryAfterMs } = again;
    const waitMs = Math.min(retryAfterMs, retryAfterMsMax) + backoff({ attempt: tries, ...waits, random });
    if (held) log.heldBack({ ...held, messages: messages.length, waitMs });
    else log.millraceAway({ error, waitMs });
    await this.#sleep(waitMs);
  }

  /**
   * Of a request that Millrace took in part, what it takes later stays in its place, under another key: the first one
   * gives the first answer for ever. Undefined where another drainer has done that.
   */
  async #keepHeld(current: Queued, posted: Settled): Promise<Again | undefined> {
    const { request } = current;
    const rejected = refusedOf(request, posted);
    const held = request.messages.filter((_, place) => posted.held.has(place));
    const kept = await this.#turn((session) => session.keep(request, { rejected, held }));
    if (!kept) {
      current.request = { ...request, messages: [] };
      return undefined;
    }
    this.#tell(request, { rejected, held: held.length });
    Object.assign(current, { request: kept, uncertain: false, postedAtMs: undefined });
    const [reason] = posted.held.values();
    const error = new OutboxError(`Millrace takes ${held.length} of the messages later: ${reason!.detail}`);
    return { kind: 'again', certain: true, retryAfterMs: 0, error, held: reason! };
  }

  async #tryOnce(current: Queued): Promise<Posted> {
    const { client, ended } = this.#settings;
    const { messages, idempotencyKey } = current.request;
    const texts = messages.map(({ text }) => text);
    try {
      const posted = await this.#alive(postMessages(client, { texts, idempotencyKey, signal: ended }));
      if (posted.kind !== 'again') return posted;
      if (!posted.certain) current.uncertain = true;
      else await this.#takeBack(current);
      return posted;
    } catch (error) {
      if (error instanceof Error && error.name === 'ApiError') await this.#takeBack(current);
      throw error;
    }
  }

  /** The request certainly is not there, unless an earlier try left it. */
  async #takeBack(current: Queued): Promise<void> {
    if (current.uncertain) return;
    await this.#turn((session) => session.unmarkPosted(current.request));
    current.postedAtMs = undefined;
  }

  async #sleep(ms: number): Promise<void> {
    await this.#alive(this.#settings.clock.sleep(ms, this.#settings.stop));
  }

  /** Meanwhile the session is kept. */
  async #alive<Result>(work: Promise<Result>): Promise<Result> {
    const done = new AbortController();
    const keeping = this.#keepAlive(done.signal);
    try {
      return await Promise.race([work, keeping]);
    } finally {
      done.abort();
      keeping.catch(() => {});
      work.catch(() => {});
    }
  }

  async #keepAlive(done: AbortSignal): Promise<never> {
    for (;;) {
      await this.#settings.clock.sleep(sessionLimits.keepAliveEveryMs, done);
      await this.#turn((session) => session.keepAlive());
    }
  }

  #turn<Result>(work: (session: OutboxSession) => Promise<Result>): Promise<Result> {
    return this.#turns.run(() => work(this.#settings.session));
  }
}

type Settled = Extract<Posted, { kind: 'settled' }>;
type Again = Extract<Posted, { kind: 'again' }>;

function refusedOf({ messages }: FixedRequest, posted: Exclude<Posted, Again>): RejectedMessage[] {
  if (posted.kind !== 'settled') return messages.map((message) => ({ ...message, ...posted.reason }));
  return messages.flatMap((message, place) => {
    const reason = posted.refused.get(place);
    return reason ? [{ ...message, ...reason }] : [];
  });
}

/** As many of the first rows as a request may have. */
function prefixOf(rows: readonly StagedSize[]): readonly StagedSize[] {
  let bytes = 0;
  const end = rows.findIndex((row, index) => {
    bytes += Math.min(row.bytes, messageBytesMax);
    return index > 0 && bytes > requestBytesMax;
  });
  return end === -1 ? rows : rows.slice(0, end);
}
