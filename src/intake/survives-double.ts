/**
 * Whether a number in JSON notation means the same after it became a double and was printed again, as every
 * JSON parser in JavaScript does to it. 0.1 does; 12345678901234567890, 1e400 and 1e-400 do not.
 */
export function survivesDouble(literal: string): boolean {
  const value = Number(literal);
  if (!Number.isFinite(value)) return false;
  const before = normalise(literal);
  const after = normalise(String(value));
  return before.digits === after.digits && before.exponent === after.exponent;
}

/** The significant digits without zeros at either end, and the power of ten of the last of them. */
function normalise(literal: string): { digits: string; exponent: number } {
  const [mantissa = '', power = '0'] = literal.toLowerCase().split('e');
  const [integer = '', fraction = ''] = mantissa.replace('-', '').split('.');
  const all = integer + fraction;
  let end = all.length;
  while (end > 0 && all[end - 1] === '0') end--;
  let start = 0;
  while (start < end && all[start] === '0') start++;
  if (start === end) return { digits: '', exponent: 0 };
  return { digits: all.slice(start, end), exponent: Number(power) - fraction.length + (all.length - end) };
}
