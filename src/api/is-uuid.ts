/** Ids of keys, webhooks and suppressions are UUIDs in lower case; anything else names none, and must not reach a uuid column. */
export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
}
