import type { Clock } from '../../lib/clock.ts';
import type { Route } from '../../message/route.ts';

export interface RouteWindowsSettings {
  clock: Clock;
  databaseNowMs: (monotonicMs: number) => number;
  routeById: (routeId: number) => Pick<Route, 'sendWindow' | 'version' | 'updatedAt'> | undefined;
}

/** Everything that is pending has been read again by then. */
const anewForMs = 30_000;
/** Whoever looked at what had waited may have died over it, and its shards be another's by then. */
const takenOverWithinMs = 60_000;

/** On the monotonic clock. */
interface Change {
  atMs: number;
  anewUntilMs: number;
}

/**
 * What waits for the time zones of its recipients is due in the database when it was to open. When the window of a route is changed
 * that may be wrong: then its chunks are looked at as if they were due.
 */
export class RouteWindows {
  readonly #settings: RouteWindowsSettings;
  readonly #windows = new Map<number, string | undefined>();
  readonly #changes = new Map<number, Change>();

  constructor(settings: RouteWindowsSettings) {
    this.#settings = settings;
  }

  /** Something of the route is not due yet. */
  note(routeId: number): void {
    if (this.#windows.has(routeId)) return;
    this.#windows.set(routeId, this.#windowOf(routeId));
    const atMs = this.#changedLately(routeId);
    if (atMs !== undefined) this.#noteChange(routeId, atMs);
  }

  /** The routes whose windows were others when they were noted, or asked for last. */
  takeChanged(): number[] {
    const changed = [...this.#windows]
      .filter(([id, window]) => this.#windowOf(id) !== window)
      .map(([id]) => id);
    for (const id of changed) {
      this.#windows.set(id, this.#windowOf(id));
      this.#noteChange(id, this.#settings.clock.monotonicMs());
    }
    return changed;
  }

  /** What a read that began then finds of the route is due, whatever it says. */
  isDueAnew(routeId: number, beganAtMs: number): boolean {
    this.note(routeId);
    const change = this.#changes.get(routeId);
    return change !== undefined && beganAtMs >= change.atMs && beganAtMs < change.anewUntilMs;
  }

  #noteChange(routeId: number, atMs: number): void {
    this.#changes.set(routeId, { atMs, anewUntilMs: this.#settings.clock.monotonicMs() + anewForMs });
  }

  /** When the route was changed, before it was noted: nobody here knows which window it had. */
  #changedLately(routeId: number): number | undefined {
    const { clock, databaseNowMs, routeById } = this.#settings;
    const route = routeById(routeId);
    if (route === undefined || route.version === 1) return undefined;
    const nowMs = clock.monotonicMs();
    const agoMs = databaseNowMs(nowMs) - route.updatedAt.getTime();
    return agoMs < takenOverWithinMs ? nowMs - agoMs : undefined;
  }

  #windowOf(routeId: number): string | undefined {
    const window = this.#settings.routeById(routeId)?.sendWindow;
    return window && JSON.stringify(window);
  }
}
