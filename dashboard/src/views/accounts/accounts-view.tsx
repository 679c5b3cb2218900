import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { call } from '../../api/call.ts';
import { actFor } from '../../api/session.ts';
import type { Account, Page } from '../../api/shapes.ts';
import { usePolled } from '../../api/use-polled.ts';
import { count, rate } from '../../format/number.ts';
import { moment } from '../../format/time.ts';
import { Action } from '../../parts/action.tsx';
import { InputField } from '../../parts/input-field.tsx';
import { Pager } from '../../parts/pager.tsx';
import { ReadNote } from '../../parts/read-note.tsx';
import { Section } from '../../parts/section.tsx';
import { Table } from '../../parts/table.tsx';
import { goTo, linkTo } from '../../place.ts';

export function AccountsView({ query }: { query: URLSearchParams }): JSX.Element {
  const after = query.get('after');
  const search = new URLSearchParams({ limit: '50', ...(after !== null && { after }) });
  const read = usePolled<Page<Account>>(`v1/accounts?${search}`, { asSelf: true });
  const [name, setName] = useState('');

  async function make(): Promise<void> {
    const made = await call<Account>('POST', 'v1/accounts', { body: { name }, asSelf: true });
    goTo(['accounts', made.id]);
  }

  return (
    <>
      <h1>Accounts</h1>
      <Section title="New account">
        <div class="row">
          <div class="grow">
            <InputField label="Name" value={name} onText={setName} />
          </div>
          <Action label="Make the account" main disabled={name.trim() === ''} run={make} />
        </div>
      </Section>
      <section class="section" aria-label="All accounts">
        <ReadNote of={read} />
        {read.data && (
          <>
            <Table<Account>
              caption="Accounts"
              rows={read.data.data}
              keyOf={({ id }) => id}
              columns={[
                {
                  name: 'Account',
                  show: ({ id, name: of }) => <a href={linkTo(['accounts', id])}>{of}</a>,
                  wide: true,
                },
                { name: 'Id', numeric: true, show: ({ id }) => id },
                { name: 'Weight', numeric: true, show: ({ weight }) => count(weight) },
                {
                  name: 'Limit /s',
                  numeric: true,
                  show: ({ limits }) =>
                    limits.ratePerSecond === undefined ? 'none' : rate(limits.ratePerSecond),
                },
                {
                  name: 'Limit a day',
                  numeric: true,
                  show: ({ limits }) =>
                    limits.messagesPerDay === undefined ? 'none' : count(limits.messagesPerDay),
                },
                { name: 'Made', show: ({ createdAt }) => moment(createdAt) },
                {
                  name: 'Look',
                  show: ({ id, name: of }) => (
                    <button
                      type="button"
                      class="quiet"
                      onClick={() => {
                        actFor(id);
                        goTo(['flood']);
                      }}
                    >
                      see as {of}
                    </button>
                  ),
                },
              ]}
            />
            <Pager path={['accounts']} query={{}} after={after} next={read.data.next} />
          </>
        )}
      </section>
    </>
  );
}
