import type { Channel } from './fields.ts';
import type { PhoneCountry } from './phone-number.ts';

/** The built-in account of the administrator key. It is made by the first migration and cannot be deleted. */
export const defaultAccountId = 1;

/** What an account may do at most. */
export interface AccountLimits {
  /** API requests of each of its keys, in each process; absent for the server's own limit. */
  requestsPerSecond?: number;
  /** Messages that leave for it in a second, over all routes and workers; absent for no limit. */
  ratePerSecond?: number;
  /** Messages taken in on a day (UTC, by the database's clock); absent for no limit. */
  messagesPerDay?: number;
  /** The same of the SMS that they take; what is sent to no telephone counts as one. */
  partsPerDay?: number;
}

/** What is taken off an account's balance for each message, in millionths of the currency. */
export interface Prepaid {
  /** ISO 4217, such as `EUR`. */
  currency: string;
  messageMicros: number;
  /** The same for each SMS of a message; absent for nothing. */
  partMicros?: number;
}

/** What is taken in for the account is charged to its meter. */
export function isMetered({ limits, prepaid }: Pick<Account, 'limits' | 'prepaid'>): boolean {
  return limits.messagesPerDay !== undefined || limits.partsPerDay !== undefined || prepaid !== null;
}

/** The SMS that its messages take matter, so that they are counted. */
export function countsParts({ limits, prepaid }: Pick<Account, 'limits' | 'prepaid'>): boolean {
  return limits.partsPerDay !== undefined || (prepaid?.partMicros ?? 0) > 0;
}

/** A customer of the installation. */
export interface Account {
  id: number;
  name: string;
  /** The account's share where capacity is divided, 1 to 1,000. */
  weight: number;
  /** Names of the routes that messages without a route take. */
  defaultRoutes: Partial<Record<Channel, string>>;
  /** Where telephone numbers are dialled that do not tell their country; null where nobody is to guess. */
  defaultCountry: PhoneCountry | null;
  limits: AccountLimits;
  /** Null for an account that pays later. */
  prepaid: Prepaid | null;
  createdAt: Date;
  /** A deleted account has no keys; what it had sent is still delivered. */
  deleted: boolean;
}
