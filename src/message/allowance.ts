import type { Account, Prepaid } from './account.ts';

/** Messages, and the SMS parts that they take. */
export interface Amount {
  messages: number;
  parts: number;
}

/** What an account may take in, and what it has used of it. */
export interface Allowance extends Pick<Account, 'limits' | 'prepaid'> {
  used: Amount;
  balanceMicros: number;
}

/** What keeps a message from being taken. Labels of a metric: never rename. */
export type RefusedBy = 'messages_per_day' | 'parts_per_day' | 'credit';

/** The parts of each message, where nobody counts them. */
export function onePartEach(messages: number): Uint16Array<ArrayBuffer> {
  return new Uint16Array(messages).fill(1);
}

/** Of the first messages of a list. */
export function amountOf(parts: ArrayLike<number>, messages = parts.length): Amount {
  let sum = 0;
  for (let index = 0; index < messages; index++) sum += parts[index]!;
  return { messages, parts: sum };
}

/** How many messages of these parts may be taken, in their order, and what keeps the next one out. */
export function fitting(
  allowance: Allowance,
  parts: ArrayLike<number>,
): { count: number; refusedBy?: RefusedBy } {
  const amount: Amount = { messages: 0, parts: 0 };
  for (let index = 0; index < parts.length; index++) {
    amount.messages++;
    amount.parts += parts[index]!;
    const refusedBy = refusing(allowance, amount);
    if (refusedBy !== undefined) return { count: index, refusedBy };
  }
  return { count: parts.length };
}

/** What keeps so much from being taken, if anything does. */
export function refusing(
  { limits, prepaid, used, balanceMicros }: Allowance,
  amount: Amount,
): RefusedBy | undefined {
  const { messagesPerDay = Number.POSITIVE_INFINITY, partsPerDay = Number.POSITIVE_INFINITY } = limits;
  if (used.messages + amount.messages > messagesPerDay) return 'messages_per_day';
  if (used.parts + amount.parts > partsPerDay) return 'parts_per_day';
  const micros = priceMicros(prepaid, amount);
  return micros > 0 && micros > balanceMicros ? 'credit' : undefined;
}

/** Whole millionths: nothing is rounded. */
export function priceMicros(prepaid: Prepaid | null, { messages, parts }: Amount): number {
  if (prepaid === null) return 0;
  return messages * prepaid.messageMicros + parts * (prepaid.partMicros ?? 0);
}
