/** Names that may become labels: the first so many, all others are `other`. */
export class CappedLabels {
  readonly #max: number;
  readonly #known = new Set<string>();

  constructor(max: number) {
    this.#max = max;
  }

  of(name: string): string {
    if (this.#known.has(name)) return name;
    if (this.#known.size >= this.#max) return 'other';
    this.#known.add(name);
    return name;
  }
}
