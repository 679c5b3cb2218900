import { type State, stateNumber, states } from '../message/state.ts';
import { acceptedCounter, rejectedCounter } from './intake/store-slots.ts';

/** Lines of a batch by what became of them; the states sum up to `accepted`. */
export type BatchCounts = Record<'accepted' | 'rejected' | State, number>;

/** From a batch's counters by the number of their state: what is accepted and in no counter is queued. */
export function batchCounts(progress: Readonly<Record<string, number>>): BatchCounts {
  const accepted = Number(progress[acceptedCounter] ?? 0);
  const counts = { accepted, rejected: Number(progress[rejectedCounter] ?? 0) } as BatchCounts;
  for (const state of states) counts[state] = Number(progress[stateNumber[state]] ?? 0);
  counts.queued = accepted;
  for (const state of states) if (state !== 'queued') counts.queued -= counts[state];
  return counts;
}
