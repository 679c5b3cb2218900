import type { ModelProvider } from './model-provider.ts';
import type { ModelServer } from './model-server.ts';
import type { Scenario } from './scenario.ts';
import type { Machine, Workers } from './workers.ts';

const stopDeadlineMs = 2_000;
const wallStepMs = 30_000;

/** What happens to processes, the network, the database, the provider and clocks, at moments that the seed draws. */
export class Troubles {
  readonly #scenario: Scenario;
  readonly #server: ModelServer;
  readonly #provider: ModelProvider;
  readonly #workers: Workers;
  #over = false;

  constructor(settings: {
    scenario: Scenario;
    server: ModelServer;
    provider: ModelProvider;
    workers: Workers;
  }) {
    this.#scenario = settings.scenario;
    this.#server = settings.server;
    this.#provider = settings.provider;
    this.#workers = settings.workers;
  }

  begin(): void {
    const { random, scheduler } = this.#server;
    const kinds = [this.#suspend, this.#suspend, this.#kill, this.#kill, this.#stop, this.#cut, this.#crash];
    const all = [...kinds, this.#stepWallClock, this.#stepWallClock, this.#lose, this.#changeRoute];
    for (let trouble = 0; trouble < this.#scenario.troubles; trouble++) {
      const kind = random.pick(all);
      scheduler.after(random.between(0, this.#scenario.troubledMs), () => {
        if (!this.#over) kind.call(this, random.pick(this.#workers.machines));
      });
    }
  }

  /** Everything that was broken is mended. */
  end(): void {
    this.#over = true;
    this.#server.trace.note('trouble', 'ends');
    this.#provider.down.clear();
    for (const machine of this.#workers.machines) {
      const { present } = machine;
      present.process.resume();
      present.client.cut(false);
      this.#workers.restart(machine);
    }
  }

  /** Mostly for longer than the lease. */
  #suspend({ present }: Machine): void {
    this.#server.trace.note(present.name, 'is suspended');
    present.process.suspend();
    this.#later(this.#scenario.leaseMs * this.#server.random.between(0.1, 2.5), () => {
      this.#server.trace.note(present.name, 'wakes');
      present.process.resume();
    });
  }

  #kill(machine: Machine): void {
    this.#workers.kill(machine);
    this.#later(this.#server.random.between(10, 3_000), () => this.#workers.restart(machine));
  }

  #stop(machine: Machine): void {
    this.#workers.stop(machine, stopDeadlineMs);
    this.#restartLater(machine);
  }

  /** One that has been asked to stop may be suspended or cut off, and so be late. */
  #restartLater(machine: Machine): void {
    this.#server.scheduler.after(this.#server.random.between(10, 1_000), () => {
      if (machine.present.process.state === 'dead') this.#workers.restart(machine);
      else this.#restartLater(machine);
    });
  }

  #cut({ present }: Machine): void {
    this.#server.trace.note(present.name, 'is cut off');
    present.client.cut(true);
    this.#later(this.#scenario.leaseMs * this.#server.random.between(0.1, 2.5), () =>
      present.client.cut(false),
    );
  }

  #crash(): void {
    if (!this.#server.away) this.#server.crash(this.#server.random.between(50, 2_000));
  }

  #stepWallClock({ clocks }: Machine): void {
    clocks.wallMs += this.#server.random.between(-wallStepMs, wallStepMs);
    this.#server.trace.note('machine', 'steps its clock');
  }

  /** A provider cannot be reached for a while. */
  #lose(): void {
    const { name } = this.#server.random.pick(this.#scenario.routes);
    this.#server.trace.note(name, 'is down');
    this.#provider.down.add(name);
    this.#later(this.#server.random.between(100, 3_000), () => this.#provider.down.delete(name));
  }

  #changeRoute(): void {
    this.#workers.changeRoute(this.#server.random.pick(this.#scenario.routes));
  }

  #later(ms: number, run: () => void): void {
    this.#server.scheduler.after(ms, () => {
      if (!this.#over) run();
    });
  }
}
