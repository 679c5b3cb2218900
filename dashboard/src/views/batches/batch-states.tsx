import type { JSX } from 'preact';
import type { Batch, MessageState } from '../../api/shapes.ts';
import { count, percent } from '../../format/number.ts';
import { Section } from '../../parts/section.tsx';
import { StateMark } from '../../parts/state-mark.tsx';
import { Table } from '../../parts/table.tsx';
import { linkTo } from '../../place.ts';

const states: MessageState[] = [
  ...(['queued', 'sending', 'retrying', 'sent', 'delivered'] as const),
  ...(['failed', 'expired', 'uncertain', 'canceled', 'suppressed'] as const),
];

export function BatchStates({ batch }: { batch: Batch }): JSX.Element {
  const { counts, id } = batch;
  return (
    <Section title="States">
      <Table<MessageState>
        caption="Messages by state"
        rows={states.filter((state) => counts[state] > 0)}
        keyOf={(state) => state}
        empty="It has no messages yet."
        columns={[
          { name: 'State', show: (state) => <StateMark state={state} /> },
          { name: 'Messages', numeric: true, show: (state) => count(counts[state]) },
          {
            name: 'Share',
            numeric: true,
            show: (state) => percent(counts.accepted > 0 ? counts[state] / counts.accepted : null),
          },
          {
            name: '',
            numeric: true,
            show: (state) => (
              <a href={linkTo(['batches', id], { state })} aria-label={`Show those that are ${state}`}>
                show
              </a>
            ),
          },
        ]}
      />
    </Section>
  );
}
