/** A share is a sum of fractions, and what it makes of a number of connections may fall short of a whole one by less. */
const rounding = 1e-6;

/** Of so many connections, those that a share allows: whole ones. */
export function wholeConnections(total: number, share: number): number {
  return Math.floor(total * share + rounding);
}
