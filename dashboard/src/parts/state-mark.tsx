import type { JSX } from 'preact';

type Tone = 'good' | 'busy' | 'warn' | 'bad' | 'idle';
type Shape = 'disc' | 'ring' | 'triangle' | 'square' | 'diamond' | 'cross' | 'half';

/** Told by a shape and a word: the colour only helps. */
const looks: Record<string, { tone: Tone; shape: Shape; word?: string }> = {
  open: { tone: 'busy', shape: 'ring' },
  delivering: { tone: 'busy', shape: 'half' },
  paused: { tone: 'warn', shape: 'square' },
  canceled: { tone: 'idle', shape: 'cross' },
  done: { tone: 'good', shape: 'disc' },
  queued: { tone: 'idle', shape: 'ring' },
  sending: { tone: 'busy', shape: 'half' },
  retrying: { tone: 'warn', shape: 'triangle' },
  sent: { tone: 'good', shape: 'disc' },
  delivered: { tone: 'good', shape: 'disc' },
  failed: { tone: 'bad', shape: 'cross' },
  expired: { tone: 'bad', shape: 'cross' },
  suppressed: { tone: 'idle', shape: 'square' },
  uncertain: { tone: 'warn', shape: 'diamond' },
  'breaker open': { tone: 'bad', shape: 'cross', word: 'breaker open' },
  'breaker half-open': { tone: 'warn', shape: 'half', word: 'trying again' },
  sends: { tone: 'good', shape: 'disc' },
  waiting: { tone: 'busy', shape: 'half' },
  idle: { tone: 'idle', shape: 'ring' },
  'window closed': { tone: 'warn', shape: 'square' },
  enabled: { tone: 'good', shape: 'disc' },
  disabled: { tone: 'bad', shape: 'cross' },
  failing: { tone: 'warn', shape: 'triangle' },
  active: { tone: 'good', shape: 'disc' },
  revoked: { tone: 'idle', shape: 'cross' },
  reporting: { tone: 'good', shape: 'disc' },
  silent: { tone: 'bad', shape: 'triangle' },
  leaving: { tone: 'warn', shape: 'half' },
  rejected: { tone: 'bad', shape: 'cross' },
  retry: { tone: 'warn', shape: 'triangle', word: 'not sent, to be tried again' },
};

export function StateMark({ state }: { state: string }): JSX.Element {
  const { tone, shape, word } = looks[state] ?? { tone: 'idle', shape: 'ring' };
  return (
    <span class={`state ${tone}`}>
      <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
        {shapes[shape]}
      </svg>
      {word ?? state}
    </span>
  );
}

const shapes: Record<Shape, JSX.Element> = {
  disc: <circle cx="6" cy="6" r="5" fill="currentColor" />,
  ring: <circle cx="6" cy="6" r="4" fill="none" stroke="currentColor" stroke-width="2" />,
  half: (
    <g>
      <circle cx="6" cy="6" r="4.2" fill="none" stroke="currentColor" stroke-width="1.6" />
      <path d="M6 1.8a4.2 4.2 0 0 1 0 8.4z" fill="currentColor" />
    </g>
  ),
  triangle: <path d="M6 1 11.4 11H.6z" fill="currentColor" />,
  square: <rect x="1.5" y="1.5" width="9" height="9" fill="currentColor" />,
  diamond: <path d="M6 .6 11.4 6 6 11.4.6 6z" fill="currentColor" />,
  cross: <path d="m2 2 8 8m0-8-8 8" stroke="currentColor" stroke-width="2.4" fill="none" />,
};
