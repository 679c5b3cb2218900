/** Signals that no request uses any more, but that stay listened to because the next one will. */
const idleSignalsMax = 4;

/**
 * One listener for each signal, however many requests share it: delivery passes the same few signals with
 * every send, and adding and removing a listener costs more than the rest of a send's bookkeeping.
 */
export class SignalWatch {
  readonly #onAbort: () => void;
  readonly #uses = new Map<AbortSignal, number>();

  constructor(onAbort: () => void) {
    this.#onAbort = onAbort;
  }

  add(signal: AbortSignal): void {
    const uses = this.#uses.get(signal);
    if (uses === undefined) signal.addEventListener('abort', this.#onAbort);
    this.#uses.set(signal, (uses ?? 0) + 1);
  }

  remove(signal: AbortSignal): void {
    const uses = (this.#uses.get(signal) ?? 1) - 1;
    if (uses > 0 || (this.#uses.size <= idleSignalsMax && !signal.aborted)) this.#uses.set(signal, uses);
    else this.#forget(signal);
  }

  close(): void {
    for (const signal of [...this.#uses.keys()]) this.#forget(signal);
  }

  #forget(signal: AbortSignal): void {
    signal.removeEventListener('abort', this.#onAbort);
    this.#uses.delete(signal);
  }
}
