import type { JSX } from 'preact';
import type { Batch, Message, Page } from '../../api/shapes.ts';
import { usePolled } from '../../api/use-polled.ts';
import { Pager } from '../../parts/pager.tsx';
import { ReadNote } from '../../parts/read-note.tsx';
import { Section } from '../../parts/section.tsx';
import { goTo } from '../../place.ts';
import { MessageTable } from '../messages/message-table.tsx';

const pageSize = 25;
const states = [
  ...['queued', 'retrying', 'sent', 'delivered', 'failed', 'expired', 'uncertain', 'canceled', 'suppressed'],
];

export function BatchMessagesPart({ batch, query }: { batch: Batch; query: URLSearchParams }): JSX.Element {
  const state = query.get('state');
  const after = query.get('after');
  const search = new URLSearchParams({
    limit: String(pageSize),
    ...(state !== null && { state }),
    ...(after !== null && { after }),
  });
  const read = usePolled<Page<Message>>(`v1/batches/${batch.id}/messages?${search}`, { everyMs: 5_000 });
  return (
    <Section
      title="Messages"
      aside={
        <label>
          State{' '}
          <select
            value={state ?? ''}
            onChange={({ currentTarget }) =>
              goTo(['batches', batch.id], {
                state: currentTarget.value === '' ? undefined : currentTarget.value,
              })
            }
          >
            <option value="">every state</option>
            {states.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      }
    >
      <ReadNote of={read} />
      {read.data && (
        <>
          <MessageTable messages={read.data.data} />
          <Pager
            path={['batches', batch.id]}
            query={{ state: state ?? undefined }}
            after={after}
            next={read.data.next}
          />
        </>
      )}
    </Section>
  );
}
