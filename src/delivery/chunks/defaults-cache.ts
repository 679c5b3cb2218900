import type { MessageDefaults } from '../../message/fields.ts';
import type { ChunkStore } from '../delivery-store.ts';

/** Batches whose defaults are remembered; they never change. */
const batchesMax = 1_000;

/** What the batches of the chunks being delivered set for all their lines. */
export class DefaultsCache {
  readonly #store: ChunkStore;
  /** In order of use. Undefined for a batch without defaults. */
  readonly #kept = new Map<string, MessageDefaults | undefined>();

  constructor(store: ChunkStore) {
    this.#store = store;
  }

  /** The defaults of these batches, unless some of them must be loaded. */
  peek(batches: readonly (string | null)[]): Map<string, MessageDefaults | undefined> | undefined {
    const found = new Map<string, MessageDefaults | undefined>();
    for (const batch of batches) {
      if (batch === null || found.has(batch)) continue;
      if (!this.#kept.has(batch)) return undefined;
      this.#touch(batch);
      found.set(batch, this.#kept.get(batch));
    }
    return found;
  }

  async load(batches: readonly (string | null)[]): Promise<Map<string, MessageDefaults | undefined>> {
    const kept = this.peek(batches);
    if (kept) return kept;
    const ids = [...new Set(batches)].filter((batch) => batch !== null);
    const rows = await this.#store.loadBatchDefaults({ ids });
    // A batch whose row is gone has no defaults to give.
    const found = new Map<string, MessageDefaults | undefined>(ids.map((id) => [id, undefined]));
    for (const { id, defaults } of rows) if (Object.keys(defaults).length > 0) found.set(id, defaults);
    for (const [id, defaults] of found) this.#kept.set(id, defaults);
    for (const id of this.#kept.keys()) {
      if (this.#kept.size <= batchesMax) break;
      this.#kept.delete(id);
    }
    return found;
  }

  #touch(batch: string): void {
    const defaults = this.#kept.get(batch);
    this.#kept.delete(batch);
    this.#kept.set(batch, defaults);
  }
}
