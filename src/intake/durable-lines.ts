/** Lines `firstLine` to `firstLine + lines - 1`. */
interface Extent {
  firstLine: number;
  lines: number;
}

/** Follows which lines are durable while slots are committed out of order. */
export class DurableLines {
  /** The first line that is not durable: the end of the unbroken run. */
  nextLine: number;
  /** Extents behind a gap, by first line. At most as many as commits run at once, and those found at the start. */
  private readonly behind = new Map<number, number>();

  constructor(nextLine: number, behind: readonly Extent[] = []) {
    this.nextLine = nextLine;
    for (const extent of behind) this.add(extent);
  }

  add({ firstLine, lines }: Extent): void {
    this.behind.set(firstLine, lines);
    for (;;) {
      const next = this.behind.get(this.nextLine);
      if (next === undefined) return;
      this.behind.delete(this.nextLine);
      this.nextLine += next;
    }
  }
}
