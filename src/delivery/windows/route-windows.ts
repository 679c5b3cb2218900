import type { SendWindow } from '../../message/send-window/send-window.ts';
import { windowFingerprint } from '../../message/send-window/window-fingerprint.ts';

/** The windows of the routes of which something is not due yet, to tell when one is changed. */
export class RouteWindows {
  readonly #windowOf: (routeId: number) => SendWindow | undefined;
  readonly #known = new Map<number, number>();

  constructor(windowOf: (routeId: number) => SendWindow | undefined) {
    this.#windowOf = windowOf;
  }

  /** Something of the route is not due yet. The answer is the fingerprint of the window that it has now. */
  note(routeId: number): number {
    const now = windowFingerprint(this.#windowOf(routeId));
    if (!this.#known.has(routeId)) this.#known.set(routeId, now);
    return now;
  }

  /** The routes whose windows were others when they were noted, or asked for last. */
  takeChanged(): number[] {
    const changed = [...this.#known].filter(
      ([id, before]) => windowFingerprint(this.#windowOf(id)) !== before,
    );
    for (const [id] of changed) this.#known.set(id, windowFingerprint(this.#windowOf(id)));
    return changed.map(([id]) => id);
  }
}
