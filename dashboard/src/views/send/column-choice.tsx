import type { JSX } from 'preact';
import { Table } from '../../parts/table.tsx';
import { columnFields } from './column-names.ts';

/** What each column is to the server. */
export function ColumnChoice(props: {
  columns: string[];
  sample: string[];
  mapped: string[];
  onChange: (mapped: string[]) => void;
}): JSX.Element {
  const { columns, sample, mapped, onChange } = props;
  const rows = columns.map((name, index) => ({ name, index }));
  return (
    <Table<{ name: string; index: number }>
      caption="Columns of the file"
      rows={rows}
      keyOf={({ index }) => String(index)}
      columns={[
        { name: 'Column', show: ({ name }) => <code>{name || '(no name)'}</code> },
        { name: 'First row', show: ({ index }) => sample[index] ?? '', wide: true },
        {
          name: 'Is the',
          show: ({ name, index }) => (
            <select
              aria-label={`Meaning of column ${name}`}
              value={mapped[index]!}
              onChange={({ currentTarget }) => onChange(mapped.with(index, currentTarget.value))}
            >
              {columnFields.map((field) => (
                <option key={field}>{field}</option>
              ))}
              <option value={`params.${plain(name)}`}>params.{plain(name)}</option>
              <option value={`metadata.${plain(name)}`}>metadata.{plain(name)}</option>
              {!options(name).includes(mapped[index]!) && <option>{mapped[index]}</option>}
            </select>
          ),
        },
      ]}
    />
  );
}

function plain(name: string): string {
  return name.replace(/^(params|metadata)\./, '') || 'column';
}

function options(name: string): string[] {
  return [...columnFields, `params.${plain(name)}`, `metadata.${plain(name)}`];
}
