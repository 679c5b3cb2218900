import type { State } from './state.ts';

/** What may be asked about messages, by number in the database: never renumber, only append. */
export const decisionKinds = { 1: 'cancel', 2: 'replay', 3: 'resolve', 4: 'erase' } as Readonly<
  Record<number, DecisionKind>
>;

export type DecisionKind = 'cancel' | 'replay' | 'resolve' | 'erase';

export function decisionNumber(kind: DecisionKind): number {
  return Number(Object.keys(decisionKinds).find((number) => decisionKinds[Number(number)] === kind));
}

/** Which of the messages are meant, and what becomes of them; as JSON in the database. */
export interface InboxFilter {
  /** `replay`: only messages in one of these states. */
  states?: State[];
  /** `replay`: only those that failed with it. `resolve`: what is recorded as the reason. */
  errorCode?: string;
  /** `resolve`: what an uncertain message becomes. */
  state?: 'sent' | 'failed';
  detail?: string;
}
