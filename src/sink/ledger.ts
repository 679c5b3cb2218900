import { SetDigest } from '../lib/set-digest.ts';
import { readUuidWords } from '../lib/uuid-words.ts';
import type { ReceiptBooks } from './receipts.ts';
import { UuidSet } from './uuid-set.ts';

/** Ids that are no UUIDs are kept as text; beyond this many the count of distinct ones is no longer exact. */
const otherIdsMax = 1_000_000;

/** What a simulated provider received since the last reset. */
export interface SinkLedger {
  /** Messages taken: `distinct + duplicates + withoutId`, and those that could not be told apart (`exact`). */
  received: number;
  distinct: number;
  duplicates: number;
  /** Messages that carried no id, neither in the body nor as idempotency key. */
  withoutId: number;
  /** Requests whose messages were taken. */
  requests: number;
  /** Requests refused, by reason. */
  refused: { failed: number; rateLimited: number; invalid: number };
  /** Requests taken but left without an answer. */
  unanswered: { hung: number; reset: number };
  /** What was told later of the messages that were taken. */
  receipts: ReceiptBooks;
  /** Digest of the distinct ids that are UUIDs (`lib/set-digest.ts`). */
  idsDigest: string;
  /** Distinct ids that are no UUIDs. */
  otherIds: number;
  /** False once there were more other ids than are remembered: `distinct` is then too low, `duplicates` too. */
  exact: boolean;
}

/** Counts what arrives, exactly, in about 24 bytes a message. */
export class Ledger {
  readonly #words = new Uint32Array(4);
  readonly #uuids = new UuidSet();
  readonly #others = new Set<string>();
  readonly #digest = new SetDigest();
  readonly refused = { failed: 0, rateLimited: 0, invalid: 0 };
  readonly unanswered = { hung: 0, reset: 0 };
  #duplicates = 0;
  #withoutId = 0;
  #requests = 0;
  #uncounted = 0;

  takeRequest(ids: readonly (string | undefined)[]): void {
    this.#requests += 1;
    for (const id of ids) this.#take(id);
  }

  read(): Omit<SinkLedger, 'receipts'> {
    const distinct = this.#uuids.size + this.#others.size;
    return {
      received: distinct + this.#duplicates + this.#withoutId + this.#uncounted,
      distinct,
      duplicates: this.#duplicates,
      withoutId: this.#withoutId,
      requests: this.#requests,
      refused: { ...this.refused },
      unanswered: { ...this.unanswered },
      idsDigest: this.#digest.toHex(),
      otherIds: this.#others.size,
      exact: this.#uncounted === 0,
    };
  }

  #take(id: string | undefined): void {
    if (id === undefined) {
      this.#withoutId += 1;
    } else if (readUuidWords(id, this.#words)) {
      if (this.#uuids.add(this.#words)) this.#digest.addWords(this.#words);
      else this.#duplicates += 1;
    } else if (this.#others.has(id)) {
      this.#duplicates += 1;
    } else if (this.#others.size < otherIdsMax) {
      this.#others.add(id);
    } else {
      this.#uncounted += 1;
    }
  }
}
