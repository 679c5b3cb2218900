import type { DeliveryObserver } from './delivery-observer.ts';

/** Several as one. */
export function allObservers(observers: readonly DeliveryObserver[]): DeliveryObserver {
  const [only] = observers;
  if (only !== undefined && observers.length === 1) return only;
  return {
    answered(slice, databaseNowMs) {
      for (const observer of observers) observer.answered(slice, databaseNowMs);
    },
    recorded(outcomes) {
      for (const observer of observers) observer.recorded(outcomes);
    },
  };
}
