import type { Route } from '../message/route.ts';
import type { Webhook } from '../message/webhook.ts';

/** What delivery must know of accounts and routes: a cache that follows the control tables. */
export interface DeliveryControl {
  routeById(id: number): Route | undefined;
  accountById(id: number): { weight: number; limits: { ratePerSecond?: number } } | undefined;
  /** The live webhook of an account by its name, the disabled ones too. */
  webhookOf(accountId: number, name: string): Webhook | undefined;
  /** What the status reports of an account's messages are signed with. */
  signingKeyOf(accountId: number): string | undefined;
  /** True when what was committed before the call is visible here, false while the database does not answer. */
  catchUp(): Promise<boolean>;
  /** Reads what is there now, without waiting for the next poll. */
  refresh(): Promise<void>;
  /** Calls back after each change; the answer ends that. */
  onChange(listener: () => void): () => void;
}
