import type { JSX } from 'preact';
import type { LiveError, LiveView } from '../../api/shapes.ts';
import { count } from '../../format/number.ts';
import { Section } from '../../parts/section.tsx';
import { Table } from '../../parts/table.tsx';

const shownMax = 12;

export function ErrorsPart({ view }: { view: LiveView }): JSX.Element {
  const { errors, errorsTotal, errorMinutes, accounts } = view;
  const shown = errors.slice(0, shownMax);
  return (
    <Section title="Errors" aside={`of attempts, last ${errorMinutes} min`}>
      <Table<LiveError>
        caption="Errors of the last minutes, the most frequent first"
        rows={shown}
        keyOf={({ accountId, route, code }) => `${accountId} ${route} ${code}`}
        empty="No attempt has failed."
        columns={[
          { name: 'Code', show: ({ code }) => <code>{code}</code>, wide: true },
          { name: 'Route', show: ({ route }) => route },
          { name: 'Account', show: ({ accountId }) => accounts[accountId] ?? accountId },
          { name: 'Attempts', numeric: true, show: ({ count: attempts }) => count(attempts) },
        ]}
      />
      {errorsTotal > shown.length && <small>and {count(errorsTotal - shown.length)} more kinds</small>}
    </Section>
  );
}
