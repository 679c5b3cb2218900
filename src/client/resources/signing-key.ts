/** What the status reports of an account's messages are signed with. */
export interface SigningKey {
  /** The last characters of the key. */
  hint: string;
  changedAt: string;
  /** The key itself: only in the answer that set it, and not in a repetition of that. */
  key?: string;
}
