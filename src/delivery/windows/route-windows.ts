import type { Clock } from '../../lib/clock.ts';
import type { SendWindow } from '../../message/send-window/send-window.ts';

export interface RouteWindowsSettings {
  clock: Clock;
  windowOf: (routeId: number) => SendWindow | undefined;
}

/** Everything that is pending has been read again by then. */
const anewForMs = 30_000;

/**
 * What waits for the time zones of its recipients is due in the database when it was to open. When the window of a route is changed
 * that may be wrong: then its chunks are looked at as if they were due.
 */
export class RouteWindows {
  readonly #settings: RouteWindowsSettings;
  readonly #windows = new Map<number, string | undefined>();
  readonly #changedAtMs = new Map<number, number>();

  constructor(settings: RouteWindowsSettings) {
    this.#settings = settings;
  }

  /** Something of the route is not due yet. */
  note(routeId: number): void {
    if (!this.#windows.has(routeId)) this.#windows.set(routeId, this.#windowOf(routeId));
  }

  /** The routes whose windows were others when they were noted, or asked for last. */
  takeChanged(): number[] {
    const changed = [...this.#windows]
      .filter(([id, window]) => this.#windowOf(id) !== window)
      .map(([id]) => id);
    for (const id of changed) {
      this.#windows.set(id, this.#windowOf(id));
      this.#changedAtMs.set(id, this.#settings.clock.monotonicMs());
    }
    return changed;
  }

  /** What a read that began then finds of the route is due, whatever it says. */
  isDueAnew(routeId: number, beganAtMs: number): boolean {
    this.note(routeId);
    const changedAtMs = this.#changedAtMs.get(routeId);
    return changedAtMs !== undefined && beganAtMs >= changedAtMs && beganAtMs < changedAtMs + anewForMs;
  }

  #windowOf(routeId: number): string | undefined {
    const window = this.#settings.windowOf(routeId);
    return window && JSON.stringify(window);
  }
}
