import type { ComponentChildren, JSX } from 'preact';

export interface Column<Row> {
  name: string;
  show: (row: Row) => ComponentChildren;
  numeric?: boolean;
  /** It takes what room there is, and its text may break anywhere. */
  wide?: boolean;
}

/**
 * On a narrow screen each row is a card whose lines are named by `data-label`. The roles are said because a table that
 * is not laid out as one loses them.
 */
export function Table<Row>(props: {
  caption: string;
  columns: Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  empty?: string;
}): JSX.Element {
  const { caption, columns, rows, keyOf, empty = 'There is nothing here.' } = props;
  if (rows.length === 0) return <p class="empty">{empty}</p>;
  return (
    <table class="table" role="table">
      <caption class="unseen">{caption}</caption>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map(({ name, numeric }) => (
            <th role="columnheader" scope="col" class={numeric ? 'number' : ''} key={name}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <tr role="row" key={keyOf(row)}>
            {columns.map(({ name, show, numeric, wide }) => (
              <td
                role="cell"
                class={[numeric && 'number', wide && 'wide'].filter(Boolean).join(' ')}
                data-label={name}
                key={name}
              >
                <span>{show(row)}</span>
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
