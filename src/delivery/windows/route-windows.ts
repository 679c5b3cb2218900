import type { SendWindow } from '../../message/send-window/send-window.ts';
import { windowMark } from '../../message/send-window/window-mark.ts';

/** The windows of the routes of which something is not due yet, to tell when one is changed. */
export class RouteWindows {
  readonly #windowOf: (routeId: number) => SendWindow | undefined;
  readonly #marks = new Map<number, number>();

  constructor(windowOf: (routeId: number) => SendWindow | undefined) {
    this.#windowOf = windowOf;
  }

  /** Something of the route is not due yet. The answer is the mark of the window that it has now. */
  note(routeId: number): number {
    const mark = windowMark(this.#windowOf(routeId));
    if (!this.#marks.has(routeId)) this.#marks.set(routeId, mark);
    return mark;
  }

  /** The routes whose windows were others when they were noted, or asked for last. */
  takeChanged(): number[] {
    const changed = [...this.#marks].filter(([id, mark]) => windowMark(this.#windowOf(id)) !== mark);
    for (const [id] of changed) this.#marks.set(id, windowMark(this.#windowOf(id)));
    return changed.map(([id]) => id);
  }
}
