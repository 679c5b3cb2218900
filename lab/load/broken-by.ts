/** What an answer says of a request that was not done. */
export interface Refusal {
  code?: string;
  detail?: string;
}

/**
 * What a refusal breaks of the promise made to clients: it is a 503, or a 409 while the same key is at work, and says when
 * to ask again. Undefined for one that keeps it.
 */
export function brokenBy(
  { status, headers }: Pick<Response, 'status' | 'headers'>,
  { code, detail }: Refusal,
): string | undefined {
  if (status !== 503 && code !== 'idempotency_in_progress') return `${status} ${code}: ${detail}`;
  return headers.has('retry-after') ? undefined : `${status} ${code} without Retry-After`;
}
