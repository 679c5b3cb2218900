export interface Spread {
  min: number;
  median: number;
  max: number;
}

export function spread(values: readonly number[]): Spread {
  return { min: percentile(values, 0), median: percentile(values, 0.5), max: percentile(values, 1) };
}

/** The value at `part` (0 to 1) of the sorted values, interpolated between neighbours. */
export function percentile(values: readonly number[], part: number): number {
  if (values.length === 0) throw new RangeError('no values to take a percentile of');
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * part;
  const below = sorted[Math.floor(at)] as number;
  const above = sorted[Math.ceil(at)] as number;
  return below + (above - below) * (at - Math.floor(at));
}
