import type { JSX } from 'preact';
import type { MessageWithTimeline } from '../../api/shapes.ts';
import { moment } from '../../format/time.ts';
import { StateMark } from '../../parts/state-mark.tsx';

/** Every attempt, receipt and decision, oldest first, with what the provider said. */
export function Timeline({ message }: { message: MessageWithTimeline }): JSX.Element {
  return (
    <ol class="timeline">
      {message.timeline.map(({ at, state, attempt, error, dueAt }, index) => (
        <li key={`${at} ${index}`}>
          <time dateTime={at}>{moment(at)}</time>
          <div>
            <StateMark state={state} />
            {state === 'queued' && index > 0
              ? ' · replayed'
              : attempt !== undefined && ` · attempt ${attempt}`}
            {error && (
              <p>
                <code>{error.code}</code> {error.detail}
              </p>
            )}
            {dueAt !== undefined && (
              <p>
                The next attempt is due <time dateTime={dueAt}>{moment(dueAt)}</time>.
              </p>
            )}
          </div>
        </li>
      ))}
      {message.providerRef !== undefined && (
        <li>
          <span />
          <small>The provider calls it {message.providerRef}.</small>
        </li>
      )}
    </ol>
  );
}
