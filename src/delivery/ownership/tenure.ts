import type { PendingChunk } from '../backlog/pending-chunk.ts';
import type { KeySequence } from '../ordering/key-sequence.ts';

/** A row of receipts that the owner has read. */
export interface ReceiptInHand {
  /** Offsets of messages that were told. */
  taken: Set<number>;
  /** Some of its messages are not through with their attempt: it is looked at again then, and after so long a wait. */
  againAtMs: number;
  waitMs: number;
  /** `null` while its answer is being recorded; then when that was done. Absent while it is open. */
  answeredAtMs?: number | null;
}

/**
 * One stretch of owning a shard: from a claim, which raised the epoch, to the release or the loss. Nothing
 * of a tenure is carried into the next one of the same shard.
 *
 * `held`: chunks are found and sent. `leaving`: nothing new is sent; what is in flight ends and is recorded,
 * then the shard is released. `ended`: what is still in memory is void.
 */
export class Tenure {
  readonly shard: number;
  readonly epoch: number;
  /** When the claim was known to have succeeded; what was learnt earlier may be another owner's past. */
  readonly sinceMs: number;
  state: 'held' | 'leaving' | 'ended' = 'held';
  /** The unfinished chunks that are in memory, by id. */
  readonly chunks = new Map<string, PendingChunk>();
  /** Chunks that left memory, and when: what a stale read or a late hint must not bring back. */
  readonly left = new Map<string, number>();
  /** Chunks that left memory and are still pending, and when: only a read that began since tells what they are now. */
  readonly forgotten = new Map<string, number>();
  /** Who waits for whom among messages with ordering keys, by account. */
  readonly sequences = new Map<number, KeySequence>();
  /** Requests of the inbox that are being answered, or were a moment ago: `null`, or when that was recorded. */
  readonly decisions = new Map<string, number | null>();
  /** Receipts that are being looked at, by the id of their row. */
  readonly receipts = new Map<string, ReceiptInHand>();
  /** Messages that were taken to be handed to a sender, and whose answer is not settled. */
  inFlight = 0;
  /** What outcomes that are not recorded yet weigh. */
  unrecorded = 0;
  /** The database refuses what is to be recorded, whoever asks and however often: nothing more of the shard may be sent. */
  refused = false;
  #counter = 0;

  constructor(claim: { shard: number; epoch: number; sinceMs: number }) {
    this.shard = claim.shard;
    this.epoch = claim.epoch;
    this.sinceMs = claim.sinceMs;
  }

  /** The place of the next outcome in the order of all outcomes of the shard: epoch, then a counter. */
  nextSeq(): string {
    return ((BigInt(this.epoch) << 32n) | BigInt(this.#counter++)).toString();
  }

  /** Nothing is on its way any more, so the shard can be handed over. */
  get quiet(): boolean {
    return this.inFlight === 0 && this.unrecorded === 0;
  }
}
