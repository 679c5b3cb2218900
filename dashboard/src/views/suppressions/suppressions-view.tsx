import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { call } from '../../api/call.ts';
import { can } from '../../api/session.ts';
import type { Page, Suppression } from '../../api/shapes.ts';
import { usePolled } from '../../api/use-polled.ts';
import { moment } from '../../format/time.ts';
import { Action } from '../../parts/action.tsx';
import { InputField } from '../../parts/input-field.tsx';
import { Pager } from '../../parts/pager.tsx';
import { ReadNote } from '../../parts/read-note.tsx';
import { Section } from '../../parts/section.tsx';
import { Table } from '../../parts/table.tsx';
import { goTo } from '../../place.ts';
import { NewSuppression } from './new-suppression.tsx';

export function SuppressionsView({ query }: { query: URLSearchParams }): JSX.Element {
  const after = query.get('after');
  const to = query.get('to');
  const [text, setText] = useState(to ?? '');
  const search = new URLSearchParams({
    ...(to === null ? { limit: '50' } : { to }),
    ...(after !== null && { after }),
  });
  const read = usePolled<Page<Suppression>>(`v1/suppressions?${search}`);

  async function remove(id: string): Promise<void> {
    await call('DELETE', `v1/suppressions/${encodeURIComponent(id)}`);
    read.again();
  }

  return (
    <>
      <h1>Suppressions</h1>
      {can('manage') && <NewSuppression onMade={read.again} />}
      <Section title="Suppressed recipients">
        <form
          class="row"
          role="search"
          onSubmit={(event) => {
            event.preventDefault();
            goTo(['suppressions'], { to: text.trim() || undefined });
          }}
        >
          <div class="grow">
            <InputField label="Find a recipient" type="search" value={text} onText={setText} />
          </div>
          <button type="submit">Find</button>
        </form>
        <ReadNote of={read} />
        {read.data && (
          <>
            <Table<Suppression>
              caption="Suppressed recipients"
              rows={read.data.data}
              keyOf={({ id }) => id}
              empty={to === null ? 'Nobody is suppressed.' : 'This recipient is not suppressed.'}
              columns={[
                { name: 'Recipient', show: nameOf, wide: true },
                { name: 'Channel', show: ({ channel }) => channel },
                { name: 'Reason', show: ({ reason }) => reason || '–' },
                { name: 'Since', show: ({ createdAt }) => moment(createdAt) },
                ...(can('manage')
                  ? [
                      {
                        name: 'End',
                        show: (entry: Suppression) => (
                          <Action
                            label="Remove"
                            of={nameOf(entry)}
                            run={() => remove(entry.id)}
                            ask={{
                              title: `Send to ${nameOf(entry)} again?`,
                              text: 'Messages to this recipient are sent from now on.',
                              action: 'Remove the suppression',
                            }}
                          />
                        ),
                      },
                    ]
                  : []),
              ]}
            />
            <Pager path={['suppressions']} query={{}} after={after} next={read.data.next} />
          </>
        )}
      </Section>
    </>
  );
}

function nameOf({ to }: Suppression): string {
  return to ?? 'an erased person';
}
