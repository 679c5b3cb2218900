/** The recipient of a stored line; undefined where the line cannot be read. */
export function lineRecipient(line: string): string | undefined {
  try {
    const { to } = JSON.parse(line) as { to?: unknown };
    return typeof to === 'string' ? to : undefined;
  } catch {
    return undefined;
  }
}
