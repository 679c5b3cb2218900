/** Characters of a provider's reference: its own ids are shorter, and every one is stored. */
const providerRefLengthMax = 256;

/** A provider's id of a message as it is kept, or undefined when it sent none that can be. */
export function providerRef(value: unknown): string | undefined {
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string' || text === '' || text.length > providerRefLengthMax) return undefined;
  // PostgreSQL's text cannot hold NUL.
  return text.includes('\0') ? undefined : text;
}
