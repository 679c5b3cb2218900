import type { Account } from './account.ts';

/** What an account may take in, and what it has used of it. */
export interface Allowance extends Pick<Account, 'limits' | 'prepaid'> {
  used: { messages: number };
  balanceMicros: number;
}

/** What keeps a message from being taken. Labels of a metric: never rename. */
export type RefusedBy = 'messages_per_day' | 'credit';

/** How many of `messages` may be taken, in their order, and what keeps the next one out. */
export function fitting(
  { limits: { messagesPerDay = Number.POSITIVE_INFINITY }, prepaid, used, balanceMicros }: Allowance,
  messages: number,
): { count: number; refusedBy?: RefusedBy } {
  const today = Math.max(0, messagesPerDay - used.messages);
  const paid =
    prepaid && prepaid.messageMicros > 0 ? affordable(balanceMicros, prepaid.messageMicros) : today;
  const count = Math.min(messages, today, paid);
  if (count === messages) return { count };
  return { count, refusedBy: today <= paid ? 'messages_per_day' : 'credit' };
}

function affordable(balanceMicros: number, messageMicros: number): number {
  return Math.max(0, Math.floor(balanceMicros / messageMicros));
}
