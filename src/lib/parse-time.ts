const timePattern = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/i;

/** A time of RFC 3339, to the millisecond; null for a text that is none, or a day that no calendar has. */
export function parseTime(text: string): Date | null {
  if (!timePattern.test(text)) return null;
  const time = new Date(text.toUpperCase());
  if (Number.isNaN(time.getTime())) return null;
  // Date takes 30 February for 1 March: the day must survive as it was written.
  const day = text.slice(0, 10);
  return new Date(`${day}T00:00:00Z`).toISOString().startsWith(day) ? time : null;
}
