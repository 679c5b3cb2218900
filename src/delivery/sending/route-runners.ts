import type { Lane } from '../backlog/lane.ts';
import type { DeliveryControl } from '../delivery-control.ts';
import type { RouteUse } from '../shares/share-demand.ts';
import type { RouteContext } from './route-context.ts';
import { RouteRunner, type RouteState } from './route-runner.ts';

export interface RouteRunnersSettings {
  control: DeliveryControl;
  context: RouteContext;
}

/** The runners of all routes through which this worker has sent something, or is about to. */
export class RouteRunners {
  readonly #settings: RouteRunnersSettings;
  readonly #runners = new Map<number, RouteRunner>();

  constructor(settings: RouteRunnersSettings) {
    this.#settings = settings;
  }

  /** Requests on their way. */
  get inFlight(): number {
    let inFlight = 0;
    for (const runner of this.#runners.values()) inFlight += runner.inFlight;
    return inFlight;
  }

  of(lane: Lane): RouteRunner {
    const { routeId } = lane.key;
    let runner = this.#runners.get(routeId);
    if (runner === undefined) {
      const { control, context } = this.#settings;
      const route = control.routeById(routeId);
      // The first message of a new route may be here before the route.
      if (route === undefined) control.refresh().catch(context.onError);
      runner = new RouteRunner(context, route);
      this.#runners.set(routeId, runner);
    }
    return runner;
  }

  /** Routes, or the worker's shares of them, are other ones now. */
  change(): void {
    for (const [id, runner] of this.#runners) runner.change(this.#settings.control.routeById(id));
  }

  /** Begins as many sends as may begin. */
  pump(): void {
    for (const runner of this.#runners.values()) runner.pump();
  }

  /** The windows of their routes are closed. */
  isClosed(lane: Lane): boolean {
    return this.#runners.get(lane.key.routeId)?.isClosed ?? false;
  }

  /** What has expired while it waited for its destination comes to its end. */
  endExpired(): void {
    for (const runner of this.#runners.values()) runner.endExpired();
  }

  /** Of each route that there is, how it may be sent through. */
  *states(): Generator<RouteState> {
    for (const runner of this.#runners.values()) {
      const { state } = runner;
      if (state !== undefined) yield state;
    }
  }

  /** By route, what was used since the last call. */
  *takeUses(): Generator<[number, RouteUse]> {
    for (const [id, runner] of this.#runners) yield [id, runner.takeUse()];
  }

  /** Of what is shared and limits requests at once, the parts that are in use, by key. */
  *inUse(): Generator<[string, number]> {
    for (const runner of this.#runners.values()) yield* runner.inUse();
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#runners.values()].map((runner) => runner.close()));
  }
}
