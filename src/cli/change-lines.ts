/** For who reads a log, not a terminal. */
export const linesEveryMs = 5_000;

/** Answers whether a text is to be written: it is another one than before, and the last is long enough ago. */
export class ChangeLines {
  readonly #everyMs: number;
  #last: { text: string; atMs: number } | undefined;

  constructor(everyMs = linesEveryMs) {
    this.#everyMs = everyMs;
  }

  isDue(text: string, nowMs: number): boolean {
    const last = this.#last;
    if (last !== undefined && (last.text === text || nowMs - last.atMs < this.#everyMs)) return false;
    this.#last = { text, atMs: nowMs };
    return true;
  }
}
