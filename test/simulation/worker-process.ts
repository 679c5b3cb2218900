import type { DeliveryControl } from '../../src/delivery/delivery-control.ts';
import { DeliveryWorker } from '../../src/delivery/delivery-worker.ts';
import type { Route } from '../../src/message/route.ts';
import { ModelClient } from './model-client.ts';
import type { ModelProvider } from './model-provider.ts';
import type { ModelServer } from './model-server.ts';
import { modelStore } from './model-store.ts';
import type { Plant } from './plants.ts';
import { type MachineClocks, SimulatedProcess } from './simulated-process.ts';

export interface WorkerProcessSettings {
  name: string;
  server: ModelServer;
  provider: ModelProvider;
  machine: MachineClocks;
  plant: Plant;
  routes: readonly Route[];
  leaseMs: number;
  flushEveryMs: number;
  flushesMax: number;
  business?: () => number;
  /** The present worker id of each process. */
  workerIds: Map<string, string>;
}

/** The production worker in a simulated process. */
export class WorkerProcess {
  readonly name: string;
  readonly process: SimulatedProcess;
  readonly client: ModelClient;
  readonly worker: DeliveryWorker;
  readonly #routes: Map<number, Route>;
  readonly #listeners = new Set<() => void>();
  /** What the worker reported, by what it said; faults of the database and the network are part of the game. */
  readonly errors: unknown[] = [];

  constructor(settings: WorkerProcessSettings) {
    const { name, server, provider, machine, plant, workerIds } = settings;
    const { scheduler, random } = server;
    this.name = name;
    this.process = new SimulatedProcess({ name, scheduler, random, machine });
    this.client = new ModelClient(server, this.process);
    this.#routes = new Map(settings.routes.map((route) => [route.id, { ...route }]));
    const { distort = (answer) => answer, unasked = false } = plant;
    const onUncertainOf = (name: string) => settings.routes.find((route) => route.name === name)!.onUncertain;
    const connector = provider.connector(this.process, {
      distort: (answer, route) => distort(answer, onUncertainOf(route)),
      unasked,
    });
    this.worker = new DeliveryWorker({
      store: modelStore(this.client, plant.store),
      control: this.#control(),
      connectors: new Map([[connector.name, connector]]),
      clock: this.process.clock,
      onError: (error) => this.errors.push(error),
      leaseMs: settings.leaseMs,
      flushEveryMs: settings.flushEveryMs,
      flushesMax: settings.flushesMax,
      shards: server.database.owners.length,
      random: () => random.next(),
      ...(settings.business && { business: settings.business }),
      newWorkerId: () => {
        const id = `${hex(random.next())}-0000-4000-8000-${name.padStart(12, '0')}`;
        workerIds.set(name, id);
        return id;
      },
    });
  }

  start(): void {
    this.process.arrive(() => this.worker.start());
  }

  changeRoute(route: Route): void {
    this.process.arrive(() => {
      this.#routes.set(route.id, route);
      for (const listener of this.#listeners) listener();
    });
  }

  #control(): DeliveryControl {
    return {
      routeById: (id) => this.#routes.get(id),
      accountById: (id) => ({ weight: id, limits: {} }),
      webhookOf: () => undefined,
      signingKeyOf: () => undefined,
      catchUp: async () => true,
      refresh: async () => {},
      onChange: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    };
  }
}

function hex(part: number): string {
  return Math.floor(part * 4_294_967_296)
    .toString(16)
    .padStart(8, '0');
}
