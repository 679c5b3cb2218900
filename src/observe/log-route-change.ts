import type { Logger } from './log.ts';

export interface RouteChange {
  route: string;
  /** The fields that are others now. Of `options` no value is told: they hold credentials. */
  changed: readonly string[];
  /** What those are now, but for `options`. */
  values: Record<string, unknown>;
}

/** One line for each change of a route on each server that delivers. */
export function logRouteChange(log: Logger, { route, changed, values }: RouteChange): void {
  log.info({ route, changed, ...values }, wordsOf(changed, values));
}

function wordsOf(changed: readonly string[], values: Record<string, unknown>): string {
  if (changed.includes('made')) return 'a route was made';
  if (changed.includes('deleted')) return 'a route was deleted: what it has is still delivered';
  if (!changed.includes('paused')) return 'a route was changed';
  return values.paused ? 'a route was paused: nothing is sent through it' : 'a route was resumed';
}
