import type { JSX } from 'preact';
import { call } from '../../api/call.ts';
import { can } from '../../api/session.ts';
import type { MessageWithTimeline } from '../../api/shapes.ts';
import { usePolled } from '../../api/use-polled.ts';
import { moment } from '../../format/time.ts';
import { Action } from '../../parts/action.tsx';
import { IdText } from '../../parts/id-text.tsx';
import { ReadNote } from '../../parts/read-note.tsx';
import { Section } from '../../parts/section.tsx';
import { StateMark } from '../../parts/state-mark.tsx';
import { linkTo } from '../../place.ts';
import { CallbacksPart } from './callbacks-part.tsx';
import { Timeline } from './timeline.tsx';
import { WaitsPart } from './waits-part.tsx';

export function MessageView({ id }: { id: string }): JSX.Element {
  const read = usePolled<MessageWithTimeline>(`v1/messages/${encodeURIComponent(id)}`, { everyMs: 2_000 });
  const message = read.data;
  return (
    <>
      <div class="title">
        <h1>Message</h1>
        {message && <StateMark state={message.state} />}
        <span class="grow" />
        <a href={linkTo(['messages'])}>Search</a>
      </div>
      <ReadNote of={read} live />
      {message && (
        <>
          <section class="section" aria-label="Which">
            <IdText id={message.id} />
            <Actions message={message} onDone={read.again} />
          </section>
          <div class="pair">
            <Section title="What became of it">
              <Timeline message={message} />
              <WaitsPart waits={message.waitsFor ?? []} />
            </Section>
            <Section title="What it is">
              <Facts message={message} />
            </Section>
          </div>
          <CallbacksPart id={message.id} />
        </>
      )}
    </>
  );
}

function Actions({
  message,
  onDone,
}: {
  message: MessageWithTimeline;
  onDone: () => void;
}): JSX.Element | null {
  const { id, state } = message;
  if (!can('manage')) return null;
  const post = (what: string, body?: unknown) => async () => {
    await call('POST', `v1/messages/${id}/${what}`, body === undefined ? {} : { body });
    onDone();
  };
  const isWaiting = state === 'queued' || state === 'retrying';
  const isReplayable = ['failed', 'expired', 'canceled', 'uncertain'].includes(state);
  return (
    <div class="actions">
      {isReplayable && (
        <Action
          label="Replay"
          run={post('replay')}
          ask={{
            title: 'Try this message again?',
            text: 'It gets new attempts under the same id.',
            action: 'Try it again',
          }}
        />
      )}
      {isWaiting && (
        <Action
          label="Cancel"
          dangerous
          run={post('cancel')}
          ask={{ title: 'Cancel this message?', text: 'It will not be sent.', action: 'Cancel it' }}
        />
      )}
      {state === 'uncertain' && (
        <>
          <Action
            label="Resolve as sent"
            run={post('resolve', { as: 'sent' })}
            ask={{
              title: 'Settle this message as sent?',
              text: 'Do this when the provider says that it has it. It is not sent again.',
              action: 'Settle as sent',
            }}
          />
          <Action
            label="Resolve as failed"
            run={post('resolve', { as: 'failed' })}
            ask={{
              title: 'Settle this message as failed?',
              text: 'Do this when the provider says that it has not got it. It can be replayed then.',
              action: 'Settle as failed',
            }}
          />
        </>
      )}
    </div>
  );
}

function Facts({ message }: { message: MessageWithTimeline }): JSX.Element {
  const { batchId, template } = message;
  const facts: [string, string | undefined | null][] = [
    ['To', message.erased ? 'erased' : message.to],
    ['From', message.from],
    ['Route', message.route],
    ['Reference', message.ref],
    ["Provider's id", message.providerRef],
    ['Accepted', moment(message.createdAt)],
    ['Scheduled', message.scheduledAt && moment(message.scheduledAt)],
    ['Expires', message.expiresAt && moment(message.expiresAt)],
    ['Tags', message.tags.join(', ')],
    ['Metadata', Object.keys(message.metadata).length > 0 ? JSON.stringify(message.metadata) : null],
    ['Template', template && `${template}, version ${message.templateVersion}`],
    ['Subject', message.subject],
  ];
  return (
    <>
      <dl class="facts">
        {facts
          .filter(([, value]) => value)
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        {batchId !== null && (
          <div>
            <dt>Batch</dt>
            <dd>
              <a href={linkTo(['batches', batchId])}>{batchId}</a>
            </dd>
          </div>
        )}
      </dl>
      {message.test && (
        <p class="note">Sent with a test key: the attempt is simulated, and nobody gets it.</p>
      )}
      {message.unreadable && <p class="note bad">The stored text cannot be read: it is kept as it is.</p>}
      {message.body !== null && <pre tabIndex={0}>{message.body}</pre>}
      {message.html !== undefined && <pre tabIndex={0}>{message.html}</pre>}
      {message.payload !== undefined && <pre tabIndex={0}>{JSON.stringify(message.payload, null, 2)}</pre>}
    </>
  );
}
