/**
 * What the templates that the lines of a chunk name meant when those were accepted: the id of a version by the template's
 * name. It is stored with the chunk, and says it for ever.
 */
export type TemplatePins = Readonly<Record<string, number>>;

/** False where one of them pins a name to another version. */
export function arePinsCompatible(one: TemplatePins | undefined, other: TemplatePins | undefined): boolean {
  if (one === undefined || other === undefined || one === other) return true;
  return Object.entries(other).every(([name, id]) => !Object.hasOwn(one, name) || one[name] === id);
}

export function mergedPins(
  one: TemplatePins | undefined,
  other: TemplatePins | undefined,
): TemplatePins | undefined {
  if (other === undefined || one === other) return one;
  return one === undefined ? other : { ...one, ...other };
}
