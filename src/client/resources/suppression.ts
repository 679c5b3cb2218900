/** A recipient that gets nothing of the account on the channel. */
export interface Suppression {
  id: string;
  channel: 'sms' | 'email';
  /** Addresses in lower case; null once the person was erased, and it holds on. */
  to: string | null;
  reason: string | null;
  ref: string | null;
  createdAt: string;
}

export interface NewSuppression {
  to: string;
  channel: 'sms' | 'email';
  /** For people. */
  reason?: string;
  ref?: string;
}

export interface AddedSuppressions {
  /** How many of them are new. */
  added: number;
  suppressions: { id: string; channel: 'sms' | 'email'; to: string }[];
  /** Elements that were left out. */
  errors: { index: number; code: string; detail: string }[];
}
