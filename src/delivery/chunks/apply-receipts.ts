import { eachOffset } from '../../message/bitmap.ts';
import { isFinal, stateNumber } from '../../message/state.ts';
import type { ReceiptDecision } from '../decisions/decision.ts';
import type { MessageOutcome, OutcomeGroups } from '../outcomes/outcome-groups.ts';
import type { MessageHistory } from './message-history.ts';

/** What came of receipts, by offset. */
export interface ReceiptsTaken {
  /** Their messages are what they say from now on. */
  matched: number[];
  /** They tell what was told before. */
  repeated: number[];
  /** What receipts do not change: an end of another kind, or attempts before a replay. */
  unchanged: number[];
  /** Their messages are not through with their attempt. */
  open: number[];
}

export interface ReceiptedMessages {
  count: number;
  history: MessageHistory;
  outcomes: Pick<OutcomeGroups, 'seal'>;
  /** A message is what its receipt says. */
  note: (offset: number, outcome: MessageOutcome) => void;
}

/** Makes outcomes of what a provider told later of some messages of a chunk, where it changes what is known of them. */
export function applyReceipts(receipts: ReceiptDecision, messages: ReceiptedMessages): ReceiptsTaken {
  const taken: ReceiptsTaken = { matched: [], repeated: [], unchanged: [], open: [] };
  const { state: told, errorCode, details, renewal, atMs } = receipts;
  const { count, history, outcomes, note } = messages;
  let sealed = false;
  let rank = -1;
  eachOffset(receipts.offsets, count, (offset) => {
    rank++;
    if (receipts.isTaken(offset)) return;
    const state = history.stateAt(offset);
    // It tells of attempts before a replay that made another message of it.
    if (history.renewalsAt(offset) !== renewal) taken.unchanged.push(offset);
    else if (!isFinal(state)) taken.open.push(offset);
    else if (state === told) taken.repeated.push(offset);
    else if (state !== stateNumber.sent && state !== stateNumber.uncertain) taken.unchanged.push(offset);
    else {
      // Of one attempt, groups are put in the order of their states: uncertain would come after what settles it.
      if (state === stateNumber.uncertain && !sealed) outcomes.seal();
      sealed ||= state === stateNumber.uncertain;
      const detail = details?.length === 1 ? details[0]! : (details?.[rank] ?? '');
      const error = errorCode === null ? undefined : { code: errorCode, detail };
      const attempt = history.attemptsAt(offset);
      const outcome: MessageOutcome = { state: told, attempt, atMs };
      // With `...` in the literal this takes ten times as long (see ReceiptNews).
      if (error) outcome.error = error;
      note(offset, outcome);
      taken.matched.push(offset);
    }
  });
  return taken;
}
