import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Message, Page } from '../../api/shapes.ts';
import { usePolled } from '../../api/use-polled.ts';
import { Field } from '../../parts/field.tsx';
import { InputField } from '../../parts/input-field.tsx';
import { Pager } from '../../parts/pager.tsx';
import { ReadNote } from '../../parts/read-note.tsx';
import { goTo } from '../../place.ts';
import { MessageTable } from './message-table.tsx';

const isId = (text: string) => /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(text);

/** Where is message X? By its id, its recipient or the sender's own reference. */
export function MessagesView({ query }: { query: URLSearchParams }): JSX.Element {
  const to = query.get('to');
  const ref = query.get('ref');
  const after = query.get('after');
  const [by, setBy] = useState(ref === null ? 'to' : 'ref');
  const [text, setText] = useState(to ?? ref ?? '');
  const search = new URLSearchParams({
    ...(to !== null && { to }),
    ...(ref !== null && { ref }),
    ...(after !== null && { after }),
    limit: '25',
  });
  const isAsked = to !== null || ref !== null;
  const read = usePolled<Page<Message>>(isAsked ? `v1/messages?${search}` : null);

  function find(event: Event): void {
    event.preventDefault();
    const wanted = text.trim();
    if (wanted === '') return;
    if (isId(wanted)) goTo(['messages', wanted.toLowerCase()]);
    else if (by === 'to' && to === wanted && after === null) read.again();
    else goTo(['messages'], { [by]: wanted });
  }

  return (
    <>
      <h1>Messages</h1>
      <section class="section" aria-label="Search">
        <form class="row" role="search" onSubmit={find}>
          <div class="grow">
            <InputField
              label="Recipient, reference or id of a message"
              type="search"
              autocomplete="off"
              spellcheck={false}
              value={text}
              onText={setText}
            />
          </div>
          <Field label="It is a">
            {(attributes) => (
              <select {...attributes} value={by} onChange={({ currentTarget }) => setBy(currentTarget.value)}>
                <option value="to">recipient</option>
                <option value="ref">reference</option>
              </select>
            )}
          </Field>
          <button type="submit" class="main">
            Find
          </button>
        </form>
        <small>An id is known by its form. A telephone number may be written as people write it.</small>
      </section>
      {isAsked && (
        <section class="section" aria-label="Found">
          <ReadNote of={read} />
          {read.data && (
            <>
              <MessageTable messages={read.data.data} />
              <Pager
                path={['messages']}
                query={{ to: to ?? undefined, ref: ref ?? undefined }}
                after={after}
                next={read.data.next}
              />
            </>
          )}
        </section>
      )}
    </>
  );
}
