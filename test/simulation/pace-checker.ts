import { type Place, placesOf } from './places.ts';
import type { Scenario } from './scenario.ts';
import type { SimulatedProcess } from './simulated-process.ts';

export interface PaceCheckerSettings {
  routes: Scenario['routes'];
  nowMs: () => number;
  /** The present worker id of each process. */
  workerIds: ReadonlyMap<string, string>;
  /** The lease of the worker has not been taken from it. */
  isRegistered: (workerId: string) => boolean;
  onExceeded: (detail: string) => void;
}

interface OpenRequest {
  process: SimulatedProcess;
  workerId: string;
}

const windowMs = 1_000;
/** A bucket holds a tenth of a second's messages, and one at least in each worker. */
const burstShare = 0.1;
/** Clocks that earn what may be sent go faster than the simulation's by less. */
const driftShare = 0.02;

/** Watches that all workers together stay within the limits of each route and of its destinations. */
export class PaceChecker {
  readonly #settings: PaceCheckerSettings;
  readonly #open = new Map<string, Set<OpenRequest>>();
  readonly #sent = new Map<string, { atMs: number; messages: number; by: string }[]>();

  constructor(settings: PaceCheckerSettings) {
    this.#settings = settings;
  }

  /** A request leaves; the answer ends it. */
  onRequest(process: SimulatedProcess, of: { route: string; recipients: string[] }): () => void {
    const { routes, workerIds } = this.#settings;
    const route = routes.find(({ name }) => name === of.route)!;
    const request = { process, workerId: workerIds.get(process.name)! };
    const places = placesOf(route, of.recipients);
    for (const place of places) {
      const open = this.#open.get(place.name) ?? new Set();
      this.#open.set(place.name, open);
      open.add(request);
      this.#checkConnections(place, open);
      // What is marked first leaves when its mark is recorded, which may be much later than it was let out.
      if (route.onUncertain === 'resend') this.#checkRate(place, process.name);
    }
    return () => {
      for (const { name } of places) this.#open.get(name)!.delete(request);
    };
  }

  /** Of a worker that was taken for dead the requests on their way may still be open, beside those of its successors. */
  #checkConnections({ name, concurrency }: Place, open: Set<OpenRequest>): void {
    const { isRegistered, onExceeded } = this.#settings;
    let count = 0;
    for (const request of open) {
      if (request.process.state === 'dead' || !isRegistered(request.workerId)) open.delete(request);
      else count++;
    }
    if (count > concurrency) onExceeded(`${count} requests at once to ${name}, which allows ${concurrency}`);
  }

  #checkRate(place: Place, by: string): void {
    const { nowMs, onExceeded } = this.#settings;
    const { name, ratePerSecond } = place;
    if (ratePerSecond === undefined) return;
    const all = this.#sent.get(name) ?? [];
    this.#sent.set(name, all);
    all.push({ atMs: nowMs(), messages: place.messages, by });
    while (all[0]!.atMs <= nowMs() - windowMs) all.shift();
    const messages = all.reduce((sum, each) => sum + each.messages, 0);
    const workers = new Set(all.map(({ by }) => by)).size;
    if (messages > ratePerSecond * (1 + burstShare + driftShare) + workers)
      onExceeded(`${messages} messages within a second to ${name}, which allows ${ratePerSecond}`);
  }
}
