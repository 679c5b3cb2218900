import type { Route } from '../../message/route.ts';
import type { OpenHours } from '../../message/send-window/open-hours.ts';
import { SendHours } from '../../message/send-window/send-hours.ts';
import { isByRecipient } from '../../message/send-window/send-window.ts';
import { windowFingerprint } from '../../message/send-window/window-fingerprint.ts';
import { stateNumber } from '../../message/state.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import type { MessageOutcome } from '../outcomes/outcome-groups.ts';

/** A message may not leave now: not before, because of a route's window with that fingerprint, or never. */
export type WindowHold =
  | { untilMs: number; putOffBy?: number }
  | { error: NonNullable<MessageOutcome['error']> };

type Windowed = Pick<Route, 'sendWindow'>;

/** A window that does not open any more, as things are, is looked at again after this time. */
const lookAgainMs = 3_600_000;

/**
 * Whether the windows of routes and batches are open: by the clock of the database, at moments of the monotonic one.
 */
export class MessageWindows {
  readonly #hours = new SendHours();
  readonly #databaseNowMs: (monotonicMs: number) => number;

  constructor(databaseNowMs: (monotonicMs: number) => number) {
    this.#databaseNowMs = databaseNowMs;
  }

  /** When the route's own window is open next: `nowMs` for at once. It is the recipients' that is looked at for each message. */
  routeOpensAtMs({ sendWindow }: Windowed, nowMs: number): number {
    const hours = sendWindow && this.#hours.ofAll(sendWindow);
    return hours === undefined ? nowMs : this.#next(hours, nowMs);
  }

  /**
   * Until when, by the clock of the database, nothing of the chunk's batch may leave; undefined where some of it may. What has
   * expired by then is to come to its end when it does.
   */
  batchClosedUntilMs({ window, times }: ChunkWork, nowMs: number): number | undefined {
    const hours = window && this.#hours.ofAll(window);
    if (hours === undefined) return undefined;
    const databaseMs = this.#databaseNowMs(nowMs);
    const opensAtMs = hours.opensAtMs(databaseMs);
    const expiresAtMs = times?.batchExpiresAtMs ?? Number.POSITIVE_INFINITY;
    return opensAtMs === databaseMs || expiresAtMs <= databaseMs
      ? undefined
      : Math.min(opensAtMs, expiresAtMs);
  }

  /** What keeps a message for now. */
  holdOf(
    message: { route: Windowed; work: ChunkWork; offset: number },
    nowMs: number,
  ): WindowHold | undefined {
    const { route, work } = message;
    if (route.sendWindow === undefined && work.window === undefined) return undefined;
    const hours = this.#hoursOf(message);
    if (hours === 'unplaced') return { error: unplaced };
    if (hours === undefined) return undefined;
    const opensAtMs = this.#next(hours, nowMs);
    if (opensAtMs === nowMs) return undefined;
    const putOffBy = windowFingerprint(route.sendWindow);
    if (opensAtMs < Number.POSITIVE_INFINITY) return { untilMs: opensAtMs, putOffBy };
    return this.#isNever(message, nowMs) ? { error: never } : { untilMs: nowMs + lookAgainMs, putOffBy };
  }

  /** By what hours the time is counted that the route gives a message; without an offset: where those are the same for the whole chunk. */
  hoursOf(route: Windowed, work: ChunkWork, offset: number | undefined): OpenHours | undefined {
    if (route.sendWindow === undefined && work.window === undefined) return undefined;
    if (offset === undefined) return this.#hours.ofAll(work.window, route.sendWindow);
    const hours = this.#hoursOf({ route, work, offset });
    return hours === 'unplaced' ? undefined : hours;
  }

  /** The hours of the messages of a chunk may differ. */
  isByMessage({ sendWindow }: Windowed, { window }: ChunkWork): boolean {
    return isByRecipient(sendWindow) || isByRecipient(window);
  }

  #hoursOf({ route, work, offset }: { route: Windowed; work: ChunkWork; offset: number }) {
    const windows = [work.window, route.sendWindow];
    if (!this.isByMessage(route, work)) return this.#hours.ofAll(...windows);
    const place = work.placeAt(offset);
    // Its line is dealt with where it is handled.
    if (place === undefined) return this.#hours.ofAll(...windows);
    return this.#hours.ofPlace(place, ...windows);
  }

  /** In the time zones of its recipient, whatever the other window is: no change of the route could let it go. */
  #isNever({ work, offset }: { work: ChunkWork; offset: number }, nowMs: number): boolean {
    if (!isByRecipient(work.window)) return false;
    const hours = this.#hours.ofPlace(work.placeAt(offset), work.window);
    return hours instanceof Object && this.#next(hours, nowMs) === Number.POSITIVE_INFINITY;
  }

  #next(hours: OpenHours, nowMs: number): number {
    const databaseMs = this.#databaseNowMs(nowMs);
    const opensAtMs = hours.opensAtMs(databaseMs);
    return opensAtMs === databaseMs ? nowMs : opensAtMs - databaseMs + nowMs;
  }
}

/** A message that no window lets go comes to its end without being sent. */
export function heldForGood(
  attempt: number,
  of: { error: NonNullable<MessageOutcome['error']>; atMs: number },
): MessageOutcome {
  return { state: stateNumber.failed, attempt, ...of };
}

const unplaced = {
  code: 'send_window_no_zone',
  detail:
    'The number belongs to no country, so that nobody knows the time zone of its recipient: name one in the window of the route and replay, ' +
    'or send it in a batch whose window names one',
};
const never = {
  code: 'send_window_never_open',
  detail:
    'The window of the batch is never open in all the time zones of the recipient’s country at once: send it in a batch with a wider one',
};
