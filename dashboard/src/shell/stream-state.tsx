import type { JSX } from 'preact';
import { latest, liveProblem, nowMs, staleMs, trouble } from '../api/live.ts';
import { can } from '../api/session.ts';
import { duration } from '../format/time.ts';

/** In a word: does what is shown move with the installation? */
export function StreamState(): JSX.Element | null {
  if (!can('read')) return null;
  const ageMs = latest.value === null ? undefined : nowMs.value - latest.value.receivedMs;
  const isLive = ageMs !== undefined && ageMs < staleMs && trouble.value === null;
  const tone = isLive ? 'good' : liveProblem.value || trouble.value || ageMs !== undefined ? 'bad' : 'busy';
  return (
    <span class={`state ${tone}`} id="stream-state">
      <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
        {isLive ? (
          <circle cx="6" cy="6" r="5" fill="currentColor" />
        ) : (
          <path d="M6 1 11.4 11H.6z" fill="currentColor" />
        )}
      </svg>
      {isLive ? 'live' : ageMs === undefined ? 'connecting' : `not live · ${duration(ageMs)} old`}
    </span>
  );
}
