import type { PendingChunk } from '../backlog/pending-chunk.ts';
import type { OutcomeGroup } from '../outcomes/outcome-groups.ts';
import type { AnsweredSlice } from '../sending/settle-slice.ts';

/** Outcomes of some messages of a chunk that are in the database now. */
export interface RecordedOutcomes {
  chunk: PendingChunk;
  group: OutcomeGroup;
}

/** What happens to messages while they are delivered, told to those who look. Each call is to cost next to nothing. */
export interface DeliveryObserver {
  /** A request to a provider was answered. `databaseNowMs`: the database's clock at a moment of the monotonic one. */
  answered(slice: AnsweredSlice, databaseNowMs: (monotonicMs: number) => number): void;
  recorded(outcomes: readonly RecordedOutcomes[]): void;
}
