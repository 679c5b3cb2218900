import { hash } from 'node:crypto';

/** What can be suppressed. The endpoints of webhooks are disabled instead (`/v1/webhooks`). */
export const suppressionChannels = ['email', 'sms'] as const;
export type SuppressionChannel = (typeof suppressionChannels)[number];

export const suppressionLimits = {
  /** Recipients of one request that adds. */
  entriesMax: 1_000,
  /** Characters of a reason: people read it. */
  reasonCharsMax: 500,
} as const;

/** What is told of a message that was not sent for it; fixed words, so that all of a chunk share an outcome. */
export const suppressedError = {
  code: 'suppressed',
  detail: 'The recipient is on a suppression list of the account: nothing is sent to it while it is there',
};

/** A recipient that gets nothing of an account on a channel. */
export interface Suppression {
  /** `suppressionHash` of account and recipient. */
  hash: string;
  channel: SuppressionChannel;
  /** In the form in which recipients are compared; null once the person was erased. */
  to: string | null;
  reason: string | null;
  ref: string | null;
  createdAt: Date;
}

/**
 * By whose list a recipient is judged; undefined for what no list has. The form tells the channel: an `http` route without
 * one takes numbers and addresses, and both are held to the account's lists.
 */
export function suppressionChannel(to: string): SuppressionChannel | undefined {
  if (to.includes('://')) return undefined;
  if (to.includes('@')) return 'email';
  return to.startsWith('+') ? 'sms' : undefined;
}

/**
 * The form under which recipients are compared: numbers as they are, addresses in lower case as a whole. A local part may
 * be case-sensitive (RFC 5321, 2.4) and in practice is not; taking two people for one keeps back a message, the other error sends one.
 */
export function suppressedForm(to: string): string {
  return to.includes('@') ? to.toLowerCase() : to;
}

/**
 * What a suppression is found by, in the form of a UUID: 128 bits of SHA-256 over account, channel and recipient. It depends on the account, so that lists of
 * two accounts share nothing. Undefined for what no list has. Stored rows hold it: it must never change.
 */
export function suppressionHash(accountId: number, to: string): string | undefined {
  const channel = suppressionChannel(to);
  if (channel === undefined) return undefined;
  const hex = hash('sha256', `${accountId}\n${channel}\n${suppressedForm(to)}`, 'hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}
