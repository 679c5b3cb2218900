import { lowestIdAt } from '../../message/id.ts';
import type { FinishedBatch } from '../../store/delivery/finish-batches.ts';
import type { BatchStore } from '../delivery-store.ts';

/** Batches looked at in one turn, and of them those that were named: the others have their turn whatever happens. */
const looksPerTurn = 100;
const namedPerTurn = 50;
/** Named batches that are remembered; one beyond them is found when its turn comes. */
const namedMax = 10_000;

const lowestId = lowestIdAt(0);

/**
 * Marks batches done whose messages all are, and folds their counters into them. Each worker looks after the
 * batches whose home shard it owns, in turns of a bounded number however many are under way; first come those of
 * which a chunk was finished here. Finishing one twice changes nothing.
 */
export class BatchFinisher {
  readonly #store: BatchStore;
  readonly #onDone: (batch: FinishedBatch) => void;
  readonly #named = new Set<string>();
  #after = lowestId;

  constructor(store: BatchStore, onDone: (batch: FinishedBatch) => void = () => {}) {
    this.#store = store;
    this.#onDone = onDone;
  }

  /** A chunk of this batch is finished, so the batch may be. */
  name(batch: string): void {
    if (this.#named.size < namedMax) this.#named.add(batch);
  }

  /** Looks at some batches; answers how many it marked done. */
  async runOnce(shards: number[]): Promise<number> {
    const named = [...this.#named].slice(0, namedPerTurn);
    for (const batch of named) this.#named.delete(batch);
    const others = shards.length > 0 ? await this.#nextOf(shards, looksPerTurn - named.length) : [];
    let done = 0;
    for (const batch of new Set([...named, ...others])) {
      const finished = await this.#store.readFinishedBatch(batch);
      if (finished === undefined) continue;
      await this.#store.finishBatch(finished);
      this.#onDone(finished);
      done++;
    }
    return done;
  }

  async #nextOf(shards: number[], limit: number): Promise<string[]> {
    const batches = await this.#store.listClosedBatches({ shards, after: this.#after, limit });
    this.#after = batches.length < limit ? lowestId : batches.at(-1)!;
    return batches;
  }
}
