import { lowestIdAt } from '../../message/id.ts';
import type { RecountMark } from '../../store/delivery/recount-batches.ts';
import type { RecountStore } from '../delivery-store.ts';

/** Batches looked at in one turn; those of which receipts come before they are done wait here until they are. */
const batchesPerTurn = 100;
const lowestId = lowestIdAt(0);

/** Lets the counts of batches that are done follow the receipts of their messages. */
export class BatchRecounter {
  readonly #store: RecountStore;
  #after = lowestId;

  constructor(store: RecountStore) {
    this.#store = store;
  }

  async runOnce(shards: number[]): Promise<void> {
    if (shards.length === 0) return;
    const read = { shards, after: this.#after, limit: batchesPerTurn };
    const marks = await this.#store.readRecountMarks(read);
    const byBatch = new Map<string, RecountMark[]>();
    for (const mark of marks) byBatch.set(mark.batch, [...(byBatch.get(mark.batch) ?? []), mark]);
    this.#after = byBatch.size < batchesPerTurn ? lowestId : marks.at(-1)!.batch;
    for (const [batch, ofBatch] of byBatch) await this.#store.recountBatch({ batch, marks: ofBatch });
  }
}
