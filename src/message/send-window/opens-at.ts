import { placeOf } from './recipient-zones.ts';
import { SendHours } from './send-hours.ts';
import { isByRecipient, type SendWindow } from './send-window.ts';

/** Shared by all that is shown: working hours out takes far longer than looking them up. */
const sendHours = new SendHours();

/**
 * When what waits for these windows may leave, while it may not. Null also where that differs by recipient, or where they are
 * not going to be open together.
 */
export function opensAt(windows: readonly (SendWindow | undefined)[], now: Date): string | null {
  const opensAtMs = sendHours.ofAll(...windows)?.opensAtMs(now.getTime()) ?? now.getTime();
  const waits = opensAtMs > now.getTime() && opensAtMs < Number.POSITIVE_INFINITY;
  return waits ? new Date(opensAtMs).toISOString() : null;
}

/** Whether these windows, of those that name their time zone, are not going to be open together. */
export function neverOpen(windows: readonly (SendWindow | undefined)[], nowMs: number): boolean {
  return sendHours.ofAll(...windows)?.opensAtMs(nowMs) === Number.POSITIVE_INFINITY;
}

/**
 * When a message to this recipient may leave by these windows, in Unix milliseconds: `nowMs` for at once, infinity for not at all. A number of
 * no country, whose time zone nobody knows, may leave at once, and then fails for that.
 */
export function nextOpening(
  windows: readonly (SendWindow | undefined)[],
  { to, nowMs }: { to: string; nowMs: number },
): number {
  const place = windows.some(isByRecipient) ? placeOf(to) : undefined;
  const hours = sendHours.ofPlace(place, ...windows);
  return hours === undefined || hours === 'unplaced' ? nowMs : hours.opensAtMs(nowMs);
}
