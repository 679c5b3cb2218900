import type { Route } from '../../src/message/route.ts';
import { DatabaseError } from '../../src/store/database.ts';
import type { ModelProvider } from './model-provider.ts';
import type { ModelServer } from './model-server.ts';
import type { Plant } from './plants.ts';
import type { Scenario } from './scenario.ts';
import type { MachineClocks } from './simulated-process.ts';
import { WorkerProcess } from './worker-process.ts';

/** A machine runs one worker process, and another one after it. */
export interface Machine {
  readonly clocks: MachineClocks;
  present: WorkerProcess;
}

/** Clocks of machines that keep time drift by less than a hundredth; ten times more is still borne by the lease's margin. */
const driftMax = 0.01;

export class Workers {
  readonly machines: Machine[];
  readonly #settings: {
    scenario: Scenario;
    server: ModelServer;
    provider: ModelProvider;
    plant: Plant;
    business?: () => number;
  };
  readonly #workerIds: Map<string, string>;
  readonly #all: WorkerProcess[] = [];
  readonly #stopping = new Set<WorkerProcess>();
  /** No process begins any more. */
  #over = false;

  constructor(settings: {
    scenario: Scenario;
    server: ModelServer;
    provider: ModelProvider;
    plant: Plant;
    workerIds: Map<string, string>;
    /** How busy a worker's thread is; without it never. */
    business?: () => number;
  }) {
    this.#settings = settings;
    this.#workerIds = settings.workerIds;
    const { random, nowMs } = settings.server;
    this.machines = Array.from({ length: settings.scenario.machines }, (_, index) => {
      const clocks: MachineClocks = {
        wallMs: nowMs + random.between(-3_000, 3_000),
        monotonicMs: random.between(0, 1e9),
        rate: 1 + random.between(-driftMax, driftMax),
        monotonicSteps: settings.plant.monotonicSteps ?? false,
      };
      return { clocks, present: this.#newProcess(index, clocks) };
    });
  }

  startAll(): void {
    for (const { present } of this.machines) present.start();
  }

  /** The process is gone at once. */
  kill(machine: Machine): void {
    this.#settings.server.trace.note(machine.present.name, 'is killed');
    machine.present.process.end();
  }

  /** Another process takes the place of one that is gone. */
  restart(machine: Machine): void {
    if (this.#over || machine.present.process.state !== 'dead') return;
    machine.present = this.#newProcess(this.machines.indexOf(machine), machine.clocks);
    this.#settings.server.trace.note(machine.present.name, 'starts');
    machine.present.start();
  }

  /** The process is asked to stop and then ends. */
  stop(machine: Machine, deadlineMs: number): void {
    const { present } = machine;
    if (this.#stopping.has(present)) return;
    this.#stopping.add(present);
    this.#settings.server.trace.note(present.name, 'stops');
    present.process.arrive(() => {
      void present.worker.stop({ deadlineMs }).then(() => {
        this.#settings.server.trace.note(present.name, 'has stopped');
        present.process.end();
      });
    });
  }

  /** Stops those that have not been told to, and names them; `done` says whether all have stopped. */
  stopAll(deadlineMs: number): { names: string[]; done: () => boolean } {
    this.#over = true;
    const present = this.machines.filter((machine) => !this.#stopping.has(machine.present));
    const names = present.map((machine) => machine.present.name);
    for (const machine of present) this.stop(machine, deadlineMs);
    return { names, done: () => this.machines.every((machine) => machine.present.process.state === 'dead') };
  }

  changeRoute(route: Route): void {
    route.version++;
    this.#tell(route);
  }

  pauseRoute(route: Route, paused: boolean): void {
    route.paused = paused;
    this.#tell(route);
  }

  /** Word of a changed route reaches each process at its next poll. */
  #tell(route: Route): void {
    const { random, scheduler } = this.#settings.server;
    for (const { present } of this.machines) {
      scheduler.after(random.between(1, 500), () => present.changeRoute({ ...route }));
    }
  }

  /** What was reported and is not of the database's making. */
  defects(): unknown[] {
    return this.#all.flatMap(({ errors }) => errors.filter((error) => !(error instanceof DatabaseError)));
  }

  #newProcess(index: number, machine: MachineClocks): WorkerProcess {
    const { scenario, ...others } = this.#settings;
    const name = `${'abc'[index]}${this.#all.length}`;
    const process = new WorkerProcess({ ...others, ...scenario, name, machine, workerIds: this.#workerIds });
    this.#all.push(process);
    return process;
  }
}
