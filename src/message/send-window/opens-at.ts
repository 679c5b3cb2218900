import { SendHours } from './send-hours.ts';
import type { SendWindow } from './send-window.ts';

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
