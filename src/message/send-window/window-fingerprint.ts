import { createHash } from 'node:crypto';
import type { SendWindow } from './send-window.ts';

/** Of no window. */
const noMark = 0;
const marks = new WeakMap<SendWindow, number>();

/** A number of 32 bits that tells the windows of a route from one another: chunks are stored with it, so it is made alike everywhere. */
export function windowMark(window: SendWindow | undefined): number {
  if (window === undefined) return noMark;
  let mark = marks.get(window);
  if (mark === undefined) {
    const { days, from, to, timeZone } = window;
    mark = createHash('sha256')
      .update(JSON.stringify([days, from, to, timeZone]))
      .digest()
      .readInt32BE();
    marks.set(window, mark);
  }
  return mark;
}
