import type { Bitmap } from '../../message/bitmap.ts';
import type { StateNumber } from '../../message/state.ts';

/**
 * What somebody decided on some messages of a chunk (`offsets`, null for all). Each looks at the state that a message
 * has when its owner takes the decision, so that taking one twice does nothing more:
 * - `cancel` ends what is not final and not in flight; what is in flight is not tried again;
 * - `replay` makes new attempts of what is in one of `states`, and failed with `errorCode` where that is given;
 * - `resolve` settles what is uncertain;
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
    };
