import type { IdRange } from './outbox-session.ts';

/** Ranges that a read asks for. Beyond it the two lowest become one, with the taken ids between them. */
const rangesMax = 500;

/**
 * Which ids of the staging table may still come. Ids are drawn in rising order, but a transaction commits whenever it likes:
 * so every id below the highest one seen that was not seen itself is a gap, and each read asks for the gaps too, until it
 * is known that nobody has their rows open any more. Nothing else is read again: below are entries of rows that were taken,
 * which a transaction left idle in the database keeps from being removed.
 */
export class IdGaps {
  /** By rising id, none touching another. */
  #ranges: IdRange[] = [];
  #after = 0;

  /** The highest id seen. */
  get after(): number {
    return this.#after;
  }

  get ranges(): readonly IdRange[] {
    return this.#ranges;
  }

  /** Rows of these ids, in rising order, have been read, and all that were visible below the last of them. */
  saw(ids: readonly number[]): void {
    for (const id of ids) {
      if (id > this.#after) {
        if (id > this.#after + 1) this.#ranges.push([this.#after + 1, id - 1]);
        this.#after = id;
      } else {
        this.#fill(id);
      }
    }
    while (this.#ranges.length > rangesMax) {
      const [[first], [, last]] = this.#ranges.splice(0, 2) as [IdRange, IdRange];
      this.#ranges.unshift([first, last]);
    }
  }

  /** No row of an id up to this one is open any more, and those that were committed have been read. */
  settle(upTo: number): void {
    this.#ranges = this.#ranges.flatMap(([first, last]): IdRange[] =>
      last <= upTo ? [] : [[Math.max(first, upTo + 1), last]],
    );
  }

  #fill(id: number): void {
    const index = this.#ranges.findIndex(([first, last]) => first <= id && id <= last);
    if (index === -1) return;
    const [first, last] = this.#ranges[index]!;
    const left: IdRange[] = [
      [first, id - 1],
      [id + 1, last],
    ];
    this.#ranges.splice(index, 1, ...left.filter(([from, to]) => from <= to));
  }
}
