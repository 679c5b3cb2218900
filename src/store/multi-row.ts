/** The placeholders of a multi-row VALUES: `multiRow(2, 3)` is `($1,$2,$3),($4,$5,$6)`. Kept, being few. */
export function multiRow(rows: number, columns: number): string {
  const key = rows * columnsMax + columns;
  let text = kept.get(key);
  if (text === undefined) {
    text = Array.from({ length: rows }, (_, row) => {
      const placeholders = Array.from({ length: columns }, (_, column) => `$${row * columns + column + 1}`);
      return `(${placeholders.join(',')})`;
    }).join(',');
    kept.set(key, text);
  }
  return text;
}

const columnsMax = 64;
const kept = new Map<number, string>();
