import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { call } from '../../api/call.ts';
import { can } from '../../api/session.ts';
import type { Batch } from '../../api/shapes.ts';
import { count } from '../../format/number.ts';
import { Action } from '../../parts/action.tsx';
import { download } from '../../parts/download.ts';
import { endedOf } from '../../parts/progress.tsx';

/** What may be done with a batch now, by the key that is there. */
export function BatchActions({ batch, onDone }: { batch: Batch; onDone: () => void }): JSX.Element {
  const [said, setSaid] = useState('');
  const { id, state, counts, doneAt } = batch;
  const left = counts.accepted - endedOf(counts);
  const bad = counts.failed + counts.expired;
  const mayManage = can('manage');

  async function post(
    what: string,
    tell: (answer: Batch & Record<string, unknown>) => string,
    body: unknown = {},
  ): Promise<void> {
    const hasBody = Object.keys(body as object).length > 0;
    const answer = await call<Batch & Record<string, unknown>>('POST', `v1/batches/${id}/${what}`, {
      ...(hasBody && { body }),
    });
    setSaid(tell(answer));
    onDone();
  }

  const resolve = (as: 'sent' | 'failed') =>
    post('resolve', ({ settled }) => `${count(Number(settled))} were settled as ${as}.`, { as });

  return (
    <div>
      <div class="actions">
        {mayManage && doneAt === null && (state === 'open' || state === 'delivering') && (
          <Action label="Pause" run={() => post('pause', () => 'It is paused.')} />
        )}
        {mayManage && state === 'paused' && (
          <Action label="Resume" main run={() => post('resume', () => 'It goes on.')} />
        )}
        {can('send') && state === 'open' && (
          <Action
            label="Close"
            run={() => post('close', () => 'It is closed.')}
            ask={{
              title: 'Close this batch?',
              text: 'No more messages can be added to it.',
              action: 'Close it',
            }}
          />
        )}
        {mayManage && bad > 0 && state !== 'canceled' && (
          <Action
            label="Replay the failed"
            run={() =>
              post('replay', ({ replayed }) => replayText(replayed as number | null), {
                states: ['failed', 'expired'],
              })
            }
            ask={{
              title: `Try ${count(bad)} messages again?`,
              text: 'Those that failed or expired get new attempts. Their provider takes each for a new message.',
              action: 'Try them again',
            }}
          />
        )}
        {mayManage && counts.uncertain > 0 && (
          <>
            <Action
              label="Resolve as sent"
              run={() => resolve('sent')}
              ask={{
                title: `Settle ${count(counts.uncertain)} uncertain messages as sent?`,
                text: 'Do this when the provider says that it has them. Nothing is sent again.',
                action: 'Settle as sent',
              }}
            />
            <Action
              label="Resolve as failed"
              run={() => resolve('failed')}
              ask={{
                title: `Settle ${count(counts.uncertain)} uncertain messages as failed?`,
                text: 'Do this when the provider says that it has not got them. They can be replayed then.',
                action: 'Settle as failed',
              }}
            />
          </>
        )}
        <Action
          label="Export CSV"
          run={() => download(`v1/batches/${id}/export?format=csv`, `batch-${id}.csv`)}
        />
        <Action label="Export NDJSON" run={() => download(`v1/batches/${id}/export`, `batch-${id}.ndjson`)} />
        {mayManage && doneAt === null && state !== 'canceled' && (
          <Action
            label="Cancel"
            dangerous
            run={() => post('cancel', () => 'What was not sent yet is being canceled.')}
            ask={{
              title: 'Cancel this batch?',
              text: `${count(left)} messages that were not sent yet will not be sent. Those on their way stay as they are.`,
              action: 'Cancel the batch',
            }}
          />
        )}
      </div>
      <p role="status">{said}</p>
    </div>
  );
}

function replayText(replayed: number | null): string {
  return replayed === null
    ? 'They are being tried again: the owners of their shards have been asked.'
    : `${count(replayed)} are tried again.`;
}
