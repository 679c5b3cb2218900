import type { Route } from '../message/route.ts';

/** What delivery must know of accounts and routes: a cache that follows the control tables. */
export interface DeliveryControl {
  routeById(id: number): Route | undefined;
  accountById(id: number): { weight: number; limits: { ratePerSecond?: number } } | undefined;
  /** Reads what is there now, without waiting for the next poll. */
  refresh(): Promise<void>;
  /** Calls back after each change; the answer ends that. */
  onChange(listener: () => void): () => void;
}
