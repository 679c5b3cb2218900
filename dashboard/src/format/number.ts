const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
const oneDigit = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });

/** What is not a number is told as not known, never as "NaN". */
export const unknown = '–';

/** `4,000,000` */
export function count(value: number | null | undefined): string {
  return isNumber(value) ? whole.format(value) : unknown;
}

/** For tiles and axes: `4.01 M`, `812`, `15.2 k`. */
export function compact(value: number | null | undefined): string {
  if (!isNumber(value)) return unknown;
  const size = Math.abs(value);
  if (size >= 999_500_000) return `${short.format(value / 1e9)} G`;
  if (size >= 999_500) return `${short.format(value / 1e6)} M`;
  if (size >= 10_000) return `${short.format(value / 1e3)} k`;
  return size >= 100 ? whole.format(value) : oneDigit.format(value);
}

/** Messages a second, without the unit. */
export function rate(value: number | null | undefined): string {
  if (!isNumber(value)) return unknown;
  return value >= 100 ? whole.format(value) : oneDigit.format(value);
}

/** Of a share from 0 to 1: `25 %`. What is not all is never rounded up to it, and what is not nothing never down. */
export function percent(share: number | null | undefined): string {
  if (!isNumber(share)) return unknown;
  if (share > 0 && share < 0.01) return '< 1 %';
  if (share < 1 && share > 0.99) return '> 99 %';
  return `${whole.format(share * 100)} %`;
}

/** `1.4 MB` */
export function bytes(value: number | null | undefined): string {
  if (!isNumber(value)) return unknown;
  if (value >= 1e9) return `${short.format(value / 1e9)} GB`;
  if (value >= 1e6) return `${short.format(value / 1e6)} MB`;
  if (value >= 1e3) return `${short.format(value / 1e3)} kB`;
  return `${whole.format(value)} bytes`;
}

function isNumber(value: number | null | undefined): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}
