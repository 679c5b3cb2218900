import type { Channel } from './route.ts';

export interface NewAccount {
  /** Unique. */
  name: string;
  /** Share of capacity beside others. Default 1. */
  weight?: number;
  /** The routes of messages that name none, by channel. */
  defaultRoutes?: DefaultRoutes;
  /** Where telephone numbers are dialled that do not tell their country, by ISO 3166-1, such as `NL`; null for nowhere. */
  defaultCountry?: string | null;
  limits?: AccountLimits;
  /** Null: it pays later. */
  prepaid?: Prepaid | null;
}

export type DefaultRoutes = { [channel in Channel]?: string };

export interface AccountLimits {
  /** Of each of its keys, in each process of the server. */
  requestsPerSecond?: number;
  /** Messages that leave in a second, over all its routes. */
  ratePerSecond?: number;
  /** Messages that are taken in on a day of UTC. */
  messagesPerDay?: number;
  /** The same of the SMS that they take. */
  partsPerDay?: number;
}

/** What messages cost, in millionths of the currency; it is taken off a balance. */
export interface Prepaid {
  currency: string;
  messageMicros: number;
  /** Of each SMS that a message takes; absent for nothing. */
  partMicros?: number;
}

export interface Account {
  id: string;
  name: string;
  weight?: number;
  defaultRoutes?: DefaultRoutes;
  /** Where telephone numbers are dialled that do not tell their country, by ISO 3166-1, such as `NL`; null for nowhere. */
  defaultCountry?: string | null;
  limits?: AccountLimits;
  /** Null for an account that pays later; absent from older servers. */
  prepaid?: Prepaid | null;
  createdAt?: string;
  [member: string]: unknown;
}

/** What an account has used on this day of UTC. Money is in millionths of the currency. */
export interface AccountUsage {
  /** Whether it is counted at all: it has a daily quota, or is prepaid. */
  metered: boolean;
  day: string;
  nextDayAt: string;
  messages: { used: number; limit: number | null; left: number | null };
  parts: { used: number; limit: number | null; left: number | null };
  prepaid: { currency: string; balanceMicros: number; spentMicros: number } | null;
  [member: string]: unknown;
}

export interface NewCredit {
  amountMicros: number;
  currency: string;
  reason: string;
}

export interface Credit extends NewCredit {
  id: string;
  balanceMicros: number;
}
