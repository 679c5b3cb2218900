import { randomBytes } from 'node:crypto';

/** What the status reports of an account's messages are signed with. */
export interface AccountSigningKey {
  accountId: number;
  key: string;
  /** Where in the change feed it begins: no message of before asked for reports. */
  begins: string;
  changedAt: Date;
}

/** Of a key that was somebody else's before: long enough not to be guessed, and what fits into a header or a file. */
export const signingKeyPattern = '^[\\x21-\\x7e]{16,128}$';

/** 32 characters. */
const keyBytes = 24;

export function makeSigningKey(): string {
  return randomBytes(keyBytes).toString('base64url');
}
