import type { JSX } from 'preact';
import { latest } from '../../api/live.ts';
import type { Statistics } from '../../api/shapes.ts';
import { usePolled } from '../../api/use-polled.ts';
import { count } from '../../format/number.ts';
import { latency } from '../../format/time.ts';
import { ReadNote } from '../../parts/read-note.tsx';
import { Section } from '../../parts/section.tsx';
import { Table } from '../../parts/table.tsx';
import type { Past } from './ranges.ts';
import { statisticsPath } from './statistics-path.ts';

const everyMs = 60_000;

interface Row {
  account: string;
  accepted: number;
  sent: number;
  failed: number;
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

/** By account, of the whole range. */
export function FirstAttempts({ past }: { past: Past }): JSX.Element {
  const read = usePolled<Statistics>(statisticsPath(past, { by: 'account', total: true }), { everyMs });
  const names = latest.value?.view.accounts ?? {};
  return (
    <Section title="By account">
      <ReadNote of={read} />
      {read.data && (
        <Table<Row>
          caption="Messages and times to the first attempt by account"
          rows={rowsOf(read.data)}
          keyOf={({ account }) => account}
          empty="Nothing was counted in this time."
          columns={[
            { name: 'Account', show: ({ account }) => names[account] ?? account, wide: true },
            { name: 'Accepted', numeric: true, show: (row) => count(row.accepted) },
            { name: 'Sent', numeric: true, show: (row) => count(row.sent) },
            { name: 'Failed', numeric: true, show: (row) => count(row.failed) },
            { name: 'First attempt p50', numeric: true, show: (row) => latency(row.p50) },
            { name: 'p95', numeric: true, show: (row) => latency(row.p95) },
            { name: 'p99', numeric: true, show: (row) => latency(row.p99) },
          ]}
        />
      )}
    </Section>
  );
}

function rowsOf({ series }: Statistics): Row[] {
  return series
    .flatMap(({ account = '', points }) =>
      points.map(({ accepted, sent, failed, timeToFirstAttempt: { p50Ms, p95Ms, p99Ms } }) => ({
        ...{ account, accepted, sent, failed },
        ...{ p50: p50Ms, p95: p95Ms, p99: p99Ms },
      })),
    )
    .sort((one, other) => other.accepted - one.accepted);
}
