/** Kept of one account; what is added beyond is looked up for all that is in memory instead. */
const additionsMax = 20_000;

/**
 * What was added to the lists of one account lately, by when this worker learned of it. It holds for messages that were looked up before: those
 * that are looked up later are found in the database.
 */
export class RecentAdditions {
  /** In order of time. */
  readonly #addedMs = new Map<string, number>();
  /** When the last one came, of those that are kept here. */
  newestMs = Number.NEGATIVE_INFINITY;
  /** When more came than is kept: messages that were looked up before have to be looked up again. */
  manyMs = Number.NEGATIVE_INFINITY;

  add(hashes: readonly string[], atMs: number): void {
    if (this.#addedMs.size + hashes.length > additionsMax) {
      this.addMany(atMs);
      return;
    }
    for (const hash of hashes) {
      this.#addedMs.delete(hash);
      this.#addedMs.set(hash, atMs);
    }
    if (hashes.length > 0) this.newestMs = atMs;
  }

  addMany(atMs: number): void {
    this.manyMs = atMs;
  }

  /** It was added after a message was looked up. */
  has(hash: string, checkedMs: number): boolean {
    const atMs = this.#addedMs.get(hash);
    return atMs !== undefined && atMs >= checkedMs;
  }

  /** Messages that were looked up before this moment have to be looked up again, so that what came until `oldMs` can be forgotten. */
  dueMs(oldMs: number): number {
    let dueMs = this.manyMs;
    for (const atMs of this.#addedMs.values()) {
      if (atMs > oldMs) break;
      dueMs = Math.max(dueMs, atMs);
    }
    return dueMs;
  }

  /** All messages in memory were looked up after what came until `oldMs`. */
  forget(oldMs: number): void {
    for (const [hash, atMs] of this.#addedMs) {
      if (atMs > oldMs) return;
      this.#addedMs.delete(hash);
    }
  }
}
