import type { Clock } from '../lib/clock.ts';

export interface LoopWatch {
  /** The thread is so far behind with what has come in that it should refuse more. */
  isBehind(): boolean;
  stop(): void;
}

const lookEveryMs = 100;
/** A pause of the machine or of the garbage collector takes less. */
const behindMs = 1_000;

/**
 * Tells whether this thread has more to do than it can. Requests that have come are handled before the next timer
 * is looked at, so that one which is late by a second has a second's requests before it, and each of their senders
 * waits as long in every turn: for the answer, for a connection, for the next part of an upload.
 */
export function watchLoop(clock: Clock): LoopWatch {
  let lookedAtMs = clock.monotonicMs();
  let callOff = () => {};
  const look = () => {
    lookedAtMs = clock.monotonicMs();
    callOff = clock.after(lookEveryMs, look);
  };
  look();
  return {
    isBehind: () => clock.monotonicMs() - lookedAtMs > lookEveryMs + behindMs,
    stop: () => callOff(),
  };
}
