/**
 * Divides `total` between those that need it, max-min fair: who needs less than an equal part gets it whole, the
 * others share what is left equally. What nobody needs is spread evenly, so that it is all given away and a
 * first message finds some. `least` is what each gets, needed or not. The parts add up to `total`.
 */
export function divide(total: number, needs: readonly number[], least = 0): number[] {
  const parts = needs.map(() => least);
  let left = total - least * needs.length;
  const byNeed = needs.map((need, index) => ({ missing: Math.max(0, need - least), index }));
  byNeed.sort((a, b) => a.missing - b.missing);
  byNeed.forEach(({ missing, index }, rank) => {
    const part = Math.min(missing, left / (byNeed.length - rank));
    parts[index]! += part;
    left -= part;
  });
  return parts.map((part) => part + left / needs.length);
}

/**
 * The same in whole numbers: what is over after rounding down goes to the largest remainders, and among equal
 * ones to the first. Where there is less than one for each, those without need get none, and of the others the first.
 */
export function divideWhole(total: number, needs: readonly number[]): number[] {
  if (total < needs.length) return divideFew(total, needs);
  const exact = divide(total, needs, 1);
  const parts = exact.map((part) => Math.floor(part + rounding));
  let left = total - parts.reduce((sum, part) => sum + part, 0);
  const byRemainder = exact.map((part, index) => ({ remainder: part - parts[index]!, index }));
  byRemainder.sort((a, b) => b.remainder - a.remainder || a.index - b.index);
  for (const { index } of byRemainder) {
    if (left <= 0) break;
    parts[index]!++;
    left--;
  }
  return parts;
}

/** Sums of fractions fall short of whole numbers by less. */
const rounding = 1e-9;

function divideFew(total: number, needs: readonly number[]): number[] {
  const wanting = needs.filter((need) => need > 0);
  if (wanting.length > 0 && wanting.length <= total) {
    const parts = divideWhole(total, wanting);
    return needs.map((need) => (need > 0 ? parts.shift()! : 0));
  }
  let given = 0;
  return needs.map((need) => {
    const part = given < total && (need > 0 || wanting.length === 0) ? 1 : 0;
    given += part;
    return part;
  });
}
