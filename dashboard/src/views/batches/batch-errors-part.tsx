import type { JSX } from 'preact';
import type { Batch, BatchErrors } from '../../api/shapes.ts';
import { usePolled } from '../../api/use-polled.ts';
import { count } from '../../format/number.ts';
import { moment } from '../../format/time.ts';
import { ReadNote } from '../../parts/read-note.tsx';
import { Section } from '../../parts/section.tsx';
import { StateMark } from '../../parts/state-mark.tsx';
import { Table } from '../../parts/table.tsx';
import { linkTo } from '../../place.ts';

type Row = BatchErrors['data'][number];

export function BatchErrorsPart({ batch, everyMs }: { batch: Batch; everyMs: number }): JSX.Element {
  const read = usePolled<BatchErrors>(`v1/batches/${batch.id}/errors`, { everyMs });
  return (
    <Section title="Errors" aside="a message counts each time that it met one">
      <ReadNote of={read} />
      {read.data && (
        <Table<Row>
          caption="Errors by code, the most frequent first"
          rows={read.data.data}
          keyOf={({ code, state }) => `${code} ${state}`}
          empty="No attempt has failed."
          columns={[
            { name: 'Code', show: ({ code }) => <code>{code}</code> },
            { name: 'Made it', show: ({ state }) => <StateMark state={state} /> },
            { name: 'Times', numeric: true, show: ({ messages }) => count(messages) },
            { name: 'Last', show: ({ lastAt }) => moment(lastAt) },
            {
              name: 'For example',
              wide: true,
              show: ({ example }) => (
                <>
                  {example.detail ?? 'no more was said'}{' '}
                  <a href={linkTo(['messages', example.id])}>message</a>
                </>
              ),
            },
          ]}
        />
      )}
    </Section>
  );
}
