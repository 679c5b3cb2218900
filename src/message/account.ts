import type { Channel } from './fields.ts';

/** The built-in account of the administrator key. It is made by the first migration and cannot be deleted. */
export const defaultAccountId = 1;

/** What an account may do at most. */
export interface AccountLimits {
  /** API requests of each of its keys, in each process; absent for the server's own limit. */
  requestsPerSecond?: number;
  /** Messages that leave for it in a second, over all routes and workers; absent for no limit. */
  ratePerSecond?: number;
}

/** A customer of the installation. */
export interface Account {
  id: number;
  name: string;
  /** The account's share where capacity is divided, 1 to 1,000. */
  weight: number;
  /** Names of the routes that messages without a route take. */
  defaultRoutes: Partial<Record<Channel, string>>;
  limits: AccountLimits;
  createdAt: Date;
  /** A deleted account has no keys; what it had sent is still delivered. */
  deleted: boolean;
}
