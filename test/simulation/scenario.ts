import { breakerDefaults, type OnUncertain, type Route, retryDefaults } from '../../src/message/route.ts';
import type { ProviderTraits } from './model-provider.ts';
import { drawDestinations } from './places.ts';
import type { SeededRandom } from './seeded-random.ts';
import { drawWeather, type Weather } from './weather.ts';

/** What a seed draws before anything happens. */
export interface Scenario {
  shards: number;
  machines: number;
  leaseMs: number;
  flushEveryMs: number;
  flushesMax: number;
  routes: Route[];
  weather: Weather;
  /** For so long things go wrong. */
  troubledMs: number;
  /** For so long messages come, and are decided on; of a seed in which both go on after the troubles. */
  workMs: number;
  /** An id is made before its transaction commits, and the commit may come so late; intake allows itself 9 s. */
  lateCommitMsMax: number;
  /** Decisions that operators take. */
  decisions: number;
  /** Chunks that come in that time, and troubles beside the weather. */
  chunks: number;
  troubles: number;
  batches: number;
  /** Of the chunks, those whose messages have ordering keys. */
  keyedShare: number;
  /** One account floods a route that is slow. */
  flood: boolean;
}

export const routeIds = { resend: 1, hold: 2, blackHole: 3 } as const;
/** The one that floods; the others have ids that are their weights, too. */
export const floodAccount = 5;
export const accounts = [1, 2, 3];

/** Opens sooner and for less long than a route's usual breaker: a simulation lasts for seconds. */
const breaker = { ...breakerDefaults, windowMs: 2_000, requestsMin: 5, openMs: 200, openMaxMs: 1_000 };

export function drawScenario(random: SeededRandom): Scenario {
  const flood = random.chance(0.25);
  const traits = (blackHole: boolean): ProviderTraits => ({
    batchMax: random.pick([1, 1, 3]),
    latencyMs: flood ? random.between(60, 150) : random.pick([2, 10, 60]),
    blackHole,
  });
  const route = (id: number, onUncertain: OnUncertain, provider: ProviderTraits): Route => {
    const name = Object.keys(routeIds)[id - 1]!;
    const limited = !flood && random.chance(0.2);
    const shaped = !flood && random.chance(0.08);
    return {
      ...{ id, name, connector: 'simulated', options: { route: name, traits: provider } },
      ...(limited && { ratePerSecond: random.whole(20, 200) }),
      ...(shaped && { destinations: drawDestinations(random) }),
      breaker: random.chance(0.5) ? false : breaker,
      concurrency: flood ? 2 : random.whole(1, 8),
      retry: { ...retryDefaults, attemptsMax: 40, backoffMinMs: 20, backoffMaxMs: 500 },
      ...{ onUncertain, paused: false, version: 1, deleted: false },
      ...{ createdAt: new Date(0), updatedAt: new Date(0) },
    };
  };
  return {
    shards: random.pick([1, 3, 8]),
    machines: random.pick([1, 2, 2, 3]),
    leaseMs: random.pick([1_000, 1_500, 2_500]),
    flushEveryMs: random.pick([5, 40]),
    flushesMax: random.whole(1, 4),
    routes: [
      route(routeIds.resend, 'resend', traits(false)),
      route(routeIds.hold, 'hold', traits(false)),
      route(routeIds.blackHole, 'resend', traits(true)),
    ],
    weather: drawWeather(random),
    ...drawTimes(random),
    lateCommitMsMax: random.pick([500, 3_000, 9_000]),
    decisions: random.pick([0, 0, 3, 8]),
    chunks: random.whole(5, 25),
    troubles: random.whole(0, 6),
    batches: random.whole(0, 3),
    keyedShare: random.pick([0, 0.2, 0.6]),
    flood,
  };
}

/** What its provider is called by as well. */
export function nameRoute(route: Route, name: string): void {
  route.name = name;
  route.options = { ...route.options, route: name };
}

/** Some seeds are calm for long enough while work goes on that what takes effect within a second can be seen to. */
function drawTimes(random: SeededRandom): { troubledMs: number; workMs: number } {
  const troubledMs = random.between(2_000, 6_000);
  const steered = random.chance(0.25);
  return steered
    ? { troubledMs: troubledMs / 2, workMs: troubledMs / 2 + 9_000 }
    : { troubledMs, workMs: troubledMs };
}
