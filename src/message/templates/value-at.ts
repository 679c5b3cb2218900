/** What lies under some names, one inside the other: own members of plain objects only. */
export function valueAt(params: unknown, path: readonly string[]): unknown {
  let value = params;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    if (!Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}
