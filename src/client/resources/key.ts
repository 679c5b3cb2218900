/** `admin` covers the others, and accounts, keys and routes of the whole installation. */
export type Scope = 'send' | 'read' | 'manage' | 'admin';

export interface NewKey {
  scopes: readonly Scope[];
  /** The account that it acts for; your own by default. */
  accountId?: string;
  /** RFC 3339. */
  expiresAt?: string;
  /** What it sends is delivered to nobody: the attempt is simulated. It may have the scopes `send` and `read`. */
  test?: boolean;
}

export interface Key {
  id: string;
  /** The key itself: only in the answer that made it, and not in a repetition of that. */
  key?: string;
  accountId?: string;
  /** The last characters of the key. */
  hint?: string;
  scopes?: Scope[];
  /** What it sends is delivered to nobody. Absent from servers before it. */
  test?: boolean;
  createdAt?: string;
  expiresAt?: string | null;
  revokedAt?: string | null;
  [member: string]: unknown;
}
