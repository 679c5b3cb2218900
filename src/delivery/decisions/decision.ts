import type { Bitmap } from '../../message/bitmap.ts';
import type { StateNumber } from '../../message/state.ts';

/**
 * What somebody decided on some messages of a chunk (`offsets`, null for all). Each looks at the state that a message
 * has when its owner takes the decision, so that taking one twice does nothing more:
 * - `cancel` ends what is not final and not in flight; what is in flight is not tried again;
 * - `replay` makes new attempts of what is in one of `states`, and failed with `errorCode` where that is given;
 * - `resolve` settles what is uncertain;
 * - `receipt` tells of what was sent, or is uncertain, how it ended, if it was sent under so many replays (`renewal`);
 * - `erase` cancels likewise, and lets go of what is in memory of a person that was erased.
 */
export type Decision =
  | { kind: 'cancel'; offsets: Bitmap | null }
  | { kind: 'erase'; offsets: Bitmap | null }
  | { kind: 'replay'; offsets: Bitmap | null; states: readonly number[]; errorCode?: string }
  | {
      kind: 'resolve';
      offsets: Bitmap | null;
      outcome: { state: StateNumber; error?: { code: string; detail: string } };
    }
  | ReceiptDecision;

/** What came of a decision. */
export interface Decided {
  /** Outcomes. */
  recorded: number;
  /** Messages more, or fewer, that can be sent. */
  ready: number;
  /** Some of those meant are in flight: it is to be asked again. */
  open: boolean;
}

/** What a provider told later of some messages of a chunk. */
export interface ReceiptDecision {
  kind: 'receipt';
  offsets: Bitmap;
  renewal: number;
  state: StateNumber;
  errorCode: string | null;
  /** One for each message in order of offset, or a single one that stands for all; null without an error. */
  details: readonly string[] | null;
  /** On the monotonic clock. */
  atMs: number;
  /** Whether the message has been told already, when these receipts were looked at before. */
  isTaken: (offset: number) => boolean;
}
