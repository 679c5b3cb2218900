import type { SeededRandom } from './seeded-random.ts';

/** How likely what goes wrong is. Each seed draws its own, so that some see one kind of trouble alone, and much of it. */
export interface Weather {
  /** Of one round trip to the database. */
  requestLost: number;
  answerLost: number;
  requestLate: number;
  answerLate: number;
  /** Of one COMMIT. */
  commitSlow: number;
  /** Of one request to a provider. */
  providerUnreachable: number;
  providerReset: number;
  providerSilent: number;
  providerLate: number;
  /** Of one message in a request. */
  rejected: number;
  refused: number;
  broken: number;
}

export const calm: Weather = {
  requestLost: 0,
  answerLost: 0,
  requestLate: 0,
  answerLate: 0,
  commitSlow: 0,
  providerUnreachable: 0,
  providerReset: 0,
  providerSilent: 0,
  providerLate: 0,
  rejected: 0,
  refused: 0,
  broken: 0,
};

/** Half of the kinds do not happen at all; the others up to one time in ten. */
export function drawWeather(random: SeededRandom): Weather {
  const weather = { ...calm };
  for (const kind of Object.keys(weather) as (keyof Weather)[]) {
    if (random.chance(0.5)) weather[kind] = random.pick([0.01, 0.03, 0.1]);
  }
  return weather;
}
