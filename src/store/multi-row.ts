import type { Call, Queryable } from './database.ts';

/** Rows of one statement at most; each number of rows is a prepared statement of its own on each connection. */
export const rowsMax = 32;

/** Cuts rows into statements: whole ones, then powers of two, so that few distinct statements serve every number. */
export function* slices<Row>(rows: readonly Row[]): Generator<readonly Row[]> {
  let start = 0;
  while (start < rows.length) {
    const left = rows.length - start;
    const size = left >= rowsMax ? rowsMax : 2 ** Math.floor(Math.log2(left));
    yield start === 0 && size === rows.length ? rows : rows.slice(start, start + size);
    start += size;
  }
}

export interface RowInsert {
  /** Of the prepared statements; the number of rows is added. */
  name: string;
  /** Up to VALUES. */
  into: string;
  rows: readonly (readonly unknown[])[];
  /** Behind the rows: ON CONFLICT, RETURNING. */
  suffix?: string;
  /** A row's tuple where it is more than its parameters; `p(n)` is the n-th of them, from 1. */
  tuple?: (p: (n: number) => string, columns: number) => string;
}

/** Inserts many rows in few statements, one after another; answers what they return. */
export async function insertRows<Returned extends Record<string, unknown>>(
  transaction: Queryable,
  insert: RowInsert,
): Promise<Returned[]> {
  const returned: Returned[] = [];
  for (const { statement, values } of insertCalls(insert)) {
    returned.push(...(await transaction.query<Returned>(statement, values)).rows);
  }
  return returned;
}

/** The statements that insert these rows. */
export function* insertCalls(insert: RowInsert): Generator<Call> {
  for (const rows of slices(insert.rows)) {
    const statement = statementOf(insert, { rows: rows.length, columns: rows[0]!.length });
    yield { statement, values: rows.flat() };
  }
}

/** By name: at most six for each insert. */
const statements = new Map<string, { name: string; text: string }>();

function statementOf(
  { name: base, into, suffix = '', tuple = plainTuple }: RowInsert,
  { rows, columns }: { rows: number; columns: number },
): { name: string; text: string } {
  const name = `${base}_${rows}`;
  let statement = statements.get(name);
  if (statement === undefined) {
    const tuples = Array.from({ length: rows }, (_, row) => tuple((n) => `$${row * columns + n}`, columns));
    statement = { name, text: `${into} VALUES ${tuples.join(', ')} ${suffix}` };
    statements.set(name, statement);
  }
  return statement;
}

function plainTuple(p: (n: number) => string, columns: number): string {
  return `(${Array.from({ length: columns }, (_, column) => p(column + 1)).join(',')})`;
}
