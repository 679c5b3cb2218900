/** A binary heap that gives back the item of the smallest key first; equal keys in no particular order. */
export class MinHeap<Item> {
  readonly #keys: number[] = [];
  readonly #items: Item[] = [];

  get length(): number {
    return this.#keys.length;
  }

  /** The smallest key, or Infinity when the heap is empty. */
  get minKey(): number {
    return this.#keys[0] ?? Number.POSITIVE_INFINITY;
  }

  push(key: number, item: Item): void {
    let index = this.#keys.length;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.#keys[parent]! <= key) break;
      this.#place(index, this.#keys[parent]!, this.#items[parent]!);
      index = parent;
    }
    this.#place(index, key, item);
  }

  pop(): Item | undefined {
    const top = this.#items[0];
    const key = this.#keys.pop();
    const item = this.#items.pop();
    if (key === undefined || this.#keys.length === 0) return top;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= this.#keys.length) break;
      if (child + 1 < this.#keys.length && this.#keys[child + 1]! < this.#keys[child]!) child++;
      if (this.#keys[child]! >= key) break;
      this.#place(index, this.#keys[child]!, this.#items[child]!);
      index = child;
    }
    this.#place(index, key, item as Item);
    return top;
  }

  #place(index: number, key: number, item: Item): void {
    this.#keys[index] = key;
    this.#items[index] = item;
  }
}
