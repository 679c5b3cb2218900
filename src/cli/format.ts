const counts = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** 4000000 → `4,000,000`. */
export function formatCount(count: number): string {
  return counts.format(count);
}

/** `1 message`, `4,000,000 messages`. */
export function formatAmount(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** Decimal units, as disks and networks count. */
export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${Math.round(bytes)} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes / 1_000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1_000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  const hours = Math.floor(whole / 3_600);
  const minutes = Math.floor((whole % 3_600) / 60);
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${whole % 60} s`;
}

/** A column that is cut keeps so many characters: a date, or the beginning of a reason. */
const cutToMin = 12;

/** Columns as wide as their widest cell; numbers to the right. What does not fit into `width` is cut, if that is enough. */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  { width = Number.POSITIVE_INFINITY }: { width?: number } = {},
): string {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? formatCount(cell) : cell)));
  const isNumeric = header.map(
    (_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number'),
  );
  const widest = header.map((title, column) =>
    Math.max(title.length, ...cells.map((row) => row[column]?.length ?? 0)),
  );
  const widths = narrowed(widest, { width, isWhole: (column) => column === 0 || isNumeric[column] === true });
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => {
        const columnWidth = widths[column] ?? 0;
        return isNumeric[column] ? cell.padStart(columnWidth) : cut(cell, columnWidth).padEnd(columnWidth);
      })
      .join(gap)
      .trimEnd();
  return [header, ...cells].map(line).join('\n');
}

const gap = '  ';

/** The widest columns give way first. Where all together cannot, lines that are too long show more than cells that are cut. */
function narrowed(
  widths: readonly number[],
  { width, isWhole }: { width: number; isWhole: (column: number) => boolean },
): readonly number[] {
  let narrow = widths;
  const fits = () => narrow.reduce((sum, each) => sum + each, gap.length * (narrow.length - 1)) <= width;
  for (let limit = Math.max(...widths) - 1; limit >= cutToMin && !fits(); limit--) {
    narrow = widths.map((each, column) => (isWhole(column) ? each : Math.min(each, limit)));
  }
  return fits() ? narrow : widths;
}

function cut(cell: string, width: number): string {
  return cell.length <= width ? cell : `${cell.slice(0, width - 1)}…`;
}

/** `name  value` pairs, one a line. */
export function formatFields(
  fields: readonly (readonly [string, string | number | undefined | null])[],
): string {
  const shown = fields.filter(
    (field): field is [string, string | number] => field[1] !== undefined && field[1] !== null,
  );
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown
    .map(
      ([name, value]) => `${name.padEnd(width)}  ${typeof value === 'number' ? formatCount(value) : value}`,
    )
    .join('\n');
}
