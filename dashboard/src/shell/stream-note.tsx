import type { JSX } from 'preact';
import { latest, liveProblem, nowMs, staleMs, trouble } from '../api/live.ts';
import { moment } from '../format/time.ts';

/** What to know before one trusts the figures: said once, when it begins. */
export function StreamNote(): JSX.Element {
  const shown = latest.value;
  const isStale = shown !== null && nowMs.value - shown.receivedMs > staleMs;
  const why = trouble.value ?? liveProblem.value?.detail;
  return (
    <div aria-live="polite">
      {(trouble.value !== null || (isStale && why) || (shown === null && liveProblem.value)) && (
        <p class="note bad">
          <b>Not live.</b> {why}
          {shown && ` What is shown is of ${moment(shown.view.at)}.`}
        </p>
      )}
      {isStale && !why && (
        <p class="note bad">
          <b>Not live.</b> Nothing has been heard for a while. What is shown is of {moment(shown.view.at)}.
          The connection is being made again.
        </p>
      )}
    </div>
  );
}
