import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { call } from '../../api/call.ts';
import type { ApiKeyShown, Page } from '../../api/shapes.ts';
import { usePolled } from '../../api/use-polled.ts';
import { moment } from '../../format/time.ts';
import { Action } from '../../parts/action.tsx';
import { IdText } from '../../parts/id-text.tsx';
import { ReadNote } from '../../parts/read-note.tsx';
import { Section } from '../../parts/section.tsx';
import { StateMark } from '../../parts/state-mark.tsx';
import { Table } from '../../parts/table.tsx';

const scopes = ['send', 'read', 'manage', 'admin'];

export function KeysPart({ accountId }: { accountId: string }): JSX.Element {
  const search = new URLSearchParams({ accountId, limit: '100' });
  const read = usePolled<Page<ApiKeyShown>>(`v1/keys?${search}`, { asSelf: true });
  const [chosen, setChosen] = useState(['send', 'read']);
  const [made, setMade] = useState<string>();

  async function make(): Promise<void> {
    const { key } = await call<{ key: string }>('POST', 'v1/keys', {
      body: { accountId, scopes: chosen },
      asSelf: true,
    });
    setMade(key);
    read.again();
  }

  async function revoke(id: string): Promise<void> {
    await call('DELETE', `v1/keys/${id}`, { asSelf: true });
    read.again();
  }

  return (
    <Section title="Keys">
      <div class="row">
        <fieldset class="checks">
          <legend>What a new key may do</legend>
          {scopes.map((scope) => (
            <label key={scope}>
              <input
                type="checkbox"
                checked={chosen.includes(scope)}
                onChange={({ currentTarget }) =>
                  setChosen(
                    currentTarget.checked ? [...chosen, scope] : chosen.filter((other) => other !== scope),
                  )
                }
              />
              {scope}
            </label>
          ))}
        </fieldset>
        <Action label="Make a key" main disabled={chosen.length === 0} run={make} />
      </div>
      {made !== undefined && (
        <div class="note plain" role="status">
          <p>This is the key. It is shown this once: keep it now.</p>
          <IdText id={made} />
        </div>
      )}
      <ReadNote of={read} />
      {read.data && (
        <Table<ApiKeyShown>
          caption="Keys of the account"
          rows={read.data.data}
          keyOf={({ id }) => id}
          empty="It has no key yet."
          columns={[
            { name: 'Ends in', show: ({ hint }) => <code>…{hint}</code>, wide: true },
            { name: 'State', show: (key) => <StateMark state={key.revokedAt ? 'revoked' : 'active'} /> },
            {
              name: 'May',
              show: ({ scopes: may, test }) => may.join(', ') + (test ? ' (test: reaches nobody)' : ''),
            },
            { name: 'Made', show: ({ createdAt }) => moment(createdAt) },
            { name: 'Expires', show: ({ expiresAt }) => (expiresAt === null ? 'never' : moment(expiresAt)) },
            {
              name: 'Revoke',
              show: ({ id, hint, revokedAt }) =>
                revokedAt === null ? (
                  <Action
                    label="Revoke"
                    of={`the key that ends in ${hint}`}
                    dangerous
                    run={() => revoke(id)}
                    ask={{
                      title: 'Revoke this key?',
                      text: `Whoever uses the key that ends in ${hint} is refused from now on. This cannot be undone.`,
                      action: 'Revoke it',
                    }}
                  />
                ) : (
                  moment(revokedAt)
                ),
            },
          ]}
        />
      )}
    </Section>
  );
}
