/**
 * What a key may do. `send`: submit messages and batches. `read`: look at the account's own messages and
 * batches. `manage`: pause, cancel, replay them, and keep templates and suppressions. `admin`: all of
 * these, and accounts, keys and routes of the whole installation.
 */
export const scopes = ['send', 'read', 'manage', 'admin'] as const;

export type Scope = (typeof scopes)[number];

export interface ApiKey {
  id: string;
  accountId: number;
  /** The last characters of the key, to tell keys apart. */
  hint: string;
  scopes: readonly Scope[];
  /** What it sends is delivered to nobody: the attempt is simulated. */
  test: boolean;
  createdAt: Date;
  expiresAt?: Date;
  revokedAt?: Date;
}

/** What a test key may do: nothing that changes what other keys have sent. */
export const testScopes: readonly Scope[] = ['send', 'read'];

export function allows(held: readonly Scope[], needed: Scope): boolean {
  return held.includes(needed) || held.includes('admin');
}
