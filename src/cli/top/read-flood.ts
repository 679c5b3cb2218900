import type { Client, Lane } from '../../client/client.ts';
import { allOf } from '../all-of.ts';
import { type Figures, readFigures } from './read-figures.ts';

export interface FloodRoute {
  route: string;
  lanes: number;
  queued: number;
  sentPerSecond: number;
  ratePerSecond: number | null;
  breaker: string | null;
  paused: boolean;
  lastError: Lane['lastError'];
}

/** The flood at one moment. */
export interface Flood {
  at: string;
  queued: number;
  sentPerSecond: number;
  /** Since when the oldest could have left. */
  oldestDueAt: string | null;
  routes: FloodRoute[];
  /** Those with most messages first. */
  lanes: Lane[];
  /** What the server that was asked tells at /metrics; null where it does not. */
  server: Figures | null;
}

/** A reader of the flood: speeds are over the time since it read last. */
export function floodReader(client: Client, url: string): () => Promise<Flood> {
  const figures = readFigures(url);
  return async () => {
    const [lanes, server] = await Promise.all([allOf(client.lanes()), figures()]);
    lanes.sort((a, b) => b.queued - a.queued || b.sentPerSecond - a.sentPerSecond);
    const due = lanes.flatMap(({ oldestDueAt }) => oldestDueAt ?? []).sort();
    return {
      at: new Date().toISOString(),
      queued: sum(lanes, ({ queued }) => queued),
      sentPerSecond: sum(lanes, ({ sentPerSecond }) => sentPerSecond),
      oldestDueAt: due[0] ?? null,
      routes: routesOf(lanes),
      lanes,
      server,
    };
  };
}

function routesOf(lanes: readonly Lane[]): FloodRoute[] {
  const byRoute = new Map<string, Lane[]>();
  for (const lane of lanes) byRoute.set(lane.route, [...(byRoute.get(lane.route) ?? []), lane]);
  return [...byRoute].map(([route, of]) => ({
    route,
    lanes: of.length,
    queued: sum(of, ({ queued }) => queued),
    sentPerSecond: sum(of, ({ sentPerSecond }) => sentPerSecond),
    ratePerSecond: of[0]!.ratePerSecond,
    breaker:
      ['open', 'half-open', 'closed'].find((state) => of.some(({ breaker }) => breaker === state)) ?? null,
    paused: of[0]!.paused,
    lastError: of.map(({ lastError }) => lastError ?? null).sort(latestFirst)[0] ?? null,
  }));
}

function latestFirst(a: { at: string } | null, b: typeof a): number {
  return Date.parse(b?.at ?? '1970-01-01') - Date.parse(a?.at ?? '1970-01-01');
}

function sum(lanes: readonly Lane[], figureOf: (lane: Lane) => number): number {
  return Math.round(lanes.reduce((all, lane) => all + figureOf(lane), 0) * 10) / 10;
}
