/** An hour: a provider's longer wish is met by asking again, so that a wrong clock cannot park a route. */
export const retryAfterMsMax = 3_600_000;

/**
 * Milliseconds that a `Retry-After` value asks for (RFC 9110, section 10.2.3: seconds or an HTTP date),
 * or undefined when it cannot be read.
 */
export function parseRetryAfter(value: string, nowMs: number): number | undefined {
  const text = value.trim();
  if (/^\d{1,10}$/.test(text)) return Math.min(Number(text) * 1_000, retryAfterMsMax);
  // Date.parse takes much more than HTTP dates; each of their three forms begins with the name of a day.
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) return undefined;
  const atMs = Date.parse(/GMT|UTC/.test(text) ? text : `${text} GMT`);
  if (Number.isNaN(atMs)) return undefined;
  return Math.min(Math.max(0, atMs - nowMs), retryAfterMsMax);
}
