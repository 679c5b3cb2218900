import type { Answer } from '../../src/connectors/connector.ts';
import type { StoreFaults } from './model-store.ts';

/** A fault put in on purpose: the simulation must find each, or it would find no other of its kind. */
export interface Plant {
  store?: StoreFaults;
  /** The monotonic clock of each worker is its wall clock. */
  monotonicSteps?: boolean;
  /** Places in the order of a shard are not locked until their commit. */
  unlockedPlaces?: boolean;
  /** Changes what a worker is told of a send on a route. */
  distort?: (answer: Answer, onUncertain: 'resend' | 'hold') => Answer;
  /** Whether a send may still begin is not asked when its connection is there. */
  unasked?: boolean;
}

export const plants: Readonly<Record<string, Plant>> = {
  'no-fence': { store: { unfenced: true } },
  'cursor-without-overlap': { store: { withoutOverlap: true } },
  'unconfirmed-shares': { store: { unconfirmed: true } },
  'answered-apart': { store: { answeredApart: true } },
  'places-by-id': { store: { placesById: true } },
  'unlocked-places': { unlockedPlaces: true },
  'wall-clock-lease': { monotonicSteps: true },
  'unasked-begin': { unasked: true },
  'retried-hold': {
    distort: (answer, onUncertain) =>
      answer.kind === 'uncertain' && onUncertain === 'hold' ? { kind: 'retry', error: answer.error } : answer,
  },
};
