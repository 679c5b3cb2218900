/** Characters of a provider's reference: its own ids are shorter, and every one is stored. */
const providerRefLengthMax = 256;

/** A provider's id of a message as it is kept, or undefined when it sent none that can be. */
export function providerRef(value: unknown): string | undefined {
  if (isNone(value) || providerRefProblem(value) !== undefined) return undefined;
  return String(value);
}

/** Why what a provider sent as an id cannot be kept; undefined also where it sent none. */
export function providerRefProblem(value: unknown): string | undefined {
  if (isNone(value)) return undefined;
  if (typeof value !== 'string' && typeof value !== 'number') return 'is neither a text nor a number';
  const text = String(value);
  if (text.length > providerRefLengthMax) return `has more than ${providerRefLengthMax} characters`;
  // PostgreSQL's text cannot hold NUL.
  return text.includes('\0') ? 'holds U+0000' : undefined;
}

function isNone(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}
