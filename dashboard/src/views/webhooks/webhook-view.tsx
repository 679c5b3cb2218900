import type { JSX } from 'preact';
import { call } from '../../api/call.ts';
import { can } from '../../api/session.ts';
import type { Message, Page, WebhookEndpoint } from '../../api/shapes.ts';
import { usePolled } from '../../api/use-polled.ts';
import { moment } from '../../format/time.ts';
import { Action } from '../../parts/action.tsx';
import { ReadNote } from '../../parts/read-note.tsx';
import { Section } from '../../parts/section.tsx';
import { StateMark } from '../../parts/state-mark.tsx';
import { goTo, linkTo } from '../../place.ts';
import { MessageTable } from '../messages/message-table.tsx';
import { webhookState } from './webhooks-view.tsx';

export function WebhookView({ id }: { id: string }): JSX.Element {
  const path = `v1/webhooks/${encodeURIComponent(id)}`;
  const read = usePolled<WebhookEndpoint>(path, { everyMs: 5_000 });
  const webhook = read.data;
  const recent = webhook && `v1/messages?${new URLSearchParams({ to: webhook.name, limit: '25' })}`;
  const deliveries = usePolled<Page<Message>>(recent ?? null, { everyMs: 5_000 });

  async function remove(): Promise<void> {
    await call('DELETE', path);
    goTo(['webhooks']);
  }

  async function enable(): Promise<void> {
    await call('PATCH', path, { body: { enabled: true } });
    read.again();
  }

  return (
    <>
      <div class="title">
        <h1>{webhook?.name ?? 'Webhook'}</h1>
        {webhook && <StateMark state={webhookState(webhook)} />}
        <span class="grow" />
        <a href={linkTo(['webhooks'])}>All webhooks</a>
        {webhook?.state === 'disabled' && can('manage') && <Action label="Enable" main run={enable} />}
        {webhook && can('manage') && (
          <Action
            label="Delete"
            dangerous
            run={remove}
            ask={{ title: `Delete ${webhook.name}?`, text: 'It is told nothing more.', action: 'Delete it' }}
          />
        )}
      </div>
      <ReadNote of={read} />
      {webhook?.disabledReason !== undefined && (
        <p class="note bad">
          Not called since {moment(webhook.disabledAt)}: {webhook.disabledReason}
        </p>
      )}
      {webhook && (
        <Section title="What it is told">
          <dl class="facts">
            <div>
              <dt>URL</dt>
              <dd>{webhook.url}</dd>
            </div>
            <div>
              <dt>Events</dt>
              <dd>{webhook.events.join(', ')}</dd>
            </div>
            <div>
              <dt>Events a request</dt>
              <dd>{webhook.batchMax}</dd>
            </div>
            {webhook.failingSince !== undefined && (
              <div>
                <dt>No success since</dt>
                <dd>{moment(webhook.failingSince)}</dd>
              </div>
            )}
          </dl>
        </Section>
      )}
      {webhook && (
        <Section title="Recent deliveries" aside="newest first; each has its attempts">
          <ReadNote of={deliveries} />
          {deliveries.data && <MessageTable messages={deliveries.data.data} />}
        </Section>
      )}
    </>
  );
}
