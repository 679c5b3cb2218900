import { createHash } from 'node:crypto';
import type { SendWindow } from './send-window.ts';

/** Of no window. */
const ofNone = 0;
const known = new WeakMap<SendWindow, number>();

/** A number of 32 bits that tells the windows of a route from one another: chunks are stored with it, so it is made alike everywhere. */
export function windowFingerprint(window: SendWindow | undefined): number {
  if (window === undefined) return ofNone;
  let found = known.get(window);
  if (found === undefined) {
    const { days, from, to, timeZone } = window;
    found = createHash('sha256')
      .update(JSON.stringify([days, from, to, timeZone]))
      .digest()
      .readInt32BE();
    known.set(window, found);
  }
  return found;
}
