/** The messages of a chunk that are not due yet, by when they are. Those of one moment share an entry. */
export class WaitingMessages {
  #groups: { dueAtMs: number; offsets: number[] }[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** When the first of them is due, or Infinity. */
  get nextDueAtMs(): number {
    return this.#groups.reduce((least, { dueAtMs }) => Math.min(least, dueAtMs), Number.POSITIVE_INFINITY);
  }

  add(offset: number, dueAtMs: number): void {
    this.#count++;
    const last = this.#groups.at(-1);
    if (last?.dueAtMs === dueAtMs) last.offsets.push(offset);
    else this.#groups.push({ dueAtMs, offsets: [offset] });
  }

  /** Takes out those whose time has come. */
  takeDue(nowMs: number): number[] {
    const due: number[] = [];
    this.#groups = this.#groups.filter(({ dueAtMs, offsets }) => {
      if (dueAtMs > nowMs) return true;
      due.push(...offsets);
      return false;
    });
    this.#count -= due.length;
    return due;
  }

  /** Takes out those of these that are among them. */
  remove(removed: ReadonlySet<number>): void {
    this.#groups = this.#groups
      .map((group) => ({ ...group, offsets: group.offsets.filter((offset) => !removed.has(offset)) }))
      .filter(({ offsets }) => offsets.length > 0);
    this.#count = this.offsets().length;
  }

  offsets(): number[] {
    return this.#groups.flatMap(({ offsets }) => offsets);
  }
}
