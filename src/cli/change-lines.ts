/** Lines for who reads a log, not a terminal: one at each change, and no more than one in this time. */
export const linesEveryMs = 5_000;

/** Answers whether a text is to be written: it is another one than before, and the last is long enough ago. */
export class ChangeLines {
  #last: { text: string; atMs: number } | undefined;

  isDue(text: string, nowMs: number): boolean {
    const last = this.#last;
    if (last !== undefined && (last.text === text || nowMs - last.atMs < linesEveryMs)) return false;
    this.#last = { text, atMs: nowMs };
    return true;
  }
}
