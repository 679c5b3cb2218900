import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { call } from '../../api/call.ts';
import { can } from '../../api/session.ts';
import type { Page, WebhookEndpoint } from '../../api/shapes.ts';
import { usePolled } from '../../api/use-polled.ts';
import { moment } from '../../format/time.ts';
import { Action } from '../../parts/action.tsx';
import { IdText } from '../../parts/id-text.tsx';
import { InputField } from '../../parts/input-field.tsx';
import { ReadNote } from '../../parts/read-note.tsx';
import { Section } from '../../parts/section.tsx';
import { StateMark } from '../../parts/state-mark.tsx';
import { Table } from '../../parts/table.tsx';
import { linkTo } from '../../place.ts';

export function WebhooksView(): JSX.Element {
  const read = usePolled<Page<WebhookEndpoint>>('v1/webhooks?limit=100', { everyMs: 10_000 });
  return (
    <>
      <h1>Webhooks</h1>
      {can('manage') && <NewWebhook onMade={read.again} />}
      <section class="section" aria-label="Endpoints">
        <ReadNote of={read} />
        {read.data && (
          <Table<WebhookEndpoint>
            caption="Endpoints that are told of events"
            rows={read.data.data}
            keyOf={({ id }) => id}
            empty="No endpoint is told of anything."
            columns={[
              { name: 'Endpoint', show: ({ id, name }) => <a href={linkTo(['webhooks', id])}>{name}</a> },
              { name: 'State', show: (webhook) => <StateMark state={webhookState(webhook)} /> },
              { name: 'URL', show: ({ url }) => url, wide: true },
              { name: 'Events', show: ({ events }) => events.join(', '), wide: true },
              {
                name: 'Failing since',
                show: ({ failingSince }) => (failingSince === undefined ? '–' : moment(failingSince)),
              },
            ]}
          />
        )}
      </section>
    </>
  );
}

export function webhookState({ state, failingSince }: WebhookEndpoint): string {
  if (state === 'disabled') return 'disabled';
  return failingSince === undefined ? 'enabled' : 'failing';
}

function NewWebhook({ onMade }: { onMade: () => void }): JSX.Element {
  const [name, setName] = useState('');
  const [url, setUrl] = useState('');
  const [secret, setSecret] = useState<string>();

  async function make(): Promise<void> {
    const made = await call<{ secret: string }>('POST', 'v1/webhooks', { body: { name, url } });
    setSecret(made.secret);
    onMade();
  }

  return (
    <Section title="New endpoint" aside="told how messages and batches ended">
      <div class="form">
        <InputField label="Name" hint="a-z, 0-9, “.”, “_” and “-”" value={name} onText={setName} />
        <InputField label="URL" hint="https" type="url" value={url} onText={setUrl} />
      </div>
      <div class="actions">
        <Action label="Make the endpoint" main disabled={name === '' || url === ''} run={make} />
      </div>
      {secret !== undefined && (
        <div class="note plain" role="status">
          <p>Requests are signed with this secret. It is shown this once: keep it now.</p>
          <IdText id={secret} />
        </div>
      )}
    </Section>
  );
}
