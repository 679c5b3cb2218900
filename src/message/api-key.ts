/**
 * What a key may do. `send`: submit messages and batches. `read`: look at the account's own messages and
 * batches. `manage`: pause, cancel, replay them, and keep templates and suppressions. `admin`: all of
 * these, and accounts, keys and routes of the whole installation.
 */
export const scopes = ['send', 'read', 'manage', 'admin'] as const;

export type Scope = (typeof scopes)[number];

/** How long a key may still work beside the one that takes its place, in milliseconds: a week. */
export const keyOverlapMaxMs = 7 * 86_400_000;

export interface ApiKey {
  id: string;
  accountId: number;
  /** The last characters of the key, to tell keys apart. */
  hint: string;
  scopes: readonly Scope[];
  createdAt: Date;
  expiresAt?: Date;
  revokedAt?: Date;
}

export function allows(held: readonly Scope[], needed: Scope): boolean {
  return held.includes(needed) || held.includes('admin');
}
