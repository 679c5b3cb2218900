import type { Clock } from '../../src/lib/clock.ts';
import type { Scheduler } from './scheduler.ts';
import type { SeededRandom } from './seeded-random.ts';

/** The clocks of one machine. They agree with those of no other, in what they say or in how fast they go. */
export interface MachineClocks {
  /** What they say at the beginning. */
  wallMs: number;
  monotonicMs: number;
  /** Simulated milliseconds times this are the machine's. */
  rate: number;
  /** A plant: the monotonic clock follows the wall clock when that one steps. */
  monotonicSteps: boolean;
}

/** A timer never fires early; an event loop at work is late by as much. */
const latenessMsMax = 2;

/**
 * A process as its machine sees it: it may be suspended, and killed. Nothing reaches a dead one; what reaches a
 * suspended one waits for its waking, when its timers are late.
 */
export class SimulatedProcess {
  readonly name: string;
  readonly clock: Clock;
  readonly #scheduler: Scheduler;
  readonly #random: SeededRandom;
  readonly #machine: MachineClocks;
  readonly #onEnd: (() => void)[] = [];
  readonly #aborts = new WeakMap<AbortSignal, Set<() => void>>();
  #state: 'running' | 'suspended' | 'dead' = 'running';
  #timers: (() => void)[] = [];
  #arrivals: (() => void)[] = [];

  constructor(settings: {
    name: string;
    scheduler: Scheduler;
    random: SeededRandom;
    machine: MachineClocks;
  }) {
    this.name = settings.name;
    this.#scheduler = settings.scheduler;
    this.#random = settings.random;
    this.#machine = settings.machine;
    this.clock = this.#newClock();
  }

  get state(): 'running' | 'suspended' | 'dead' {
    return this.#state;
  }

  /** Something comes from outside: an answer, a message. */
  arrive(run: () => void): void {
    if (this.#state === 'running') {
      this.#scheduler.enter();
      run();
    } else if (this.#state === 'suspended') this.#arrivals.push(run);
  }

  suspend(): void {
    if (this.#state === 'running') this.#state = 'suspended';
  }

  resume(): void {
    if (this.#state !== 'suspended') return;
    this.#state = 'running';
    // Which an event loop sees first depends on where it was stopped.
    const order = this.#random.chance(0.5)
      ? [...this.#timers, ...this.#arrivals]
      : [...this.#arrivals, ...this.#timers];
    this.#timers = [];
    this.#arrivals = [];
    order.forEach((run, index) => {
      this.#scheduler.after(index / 1_000, () => this.arrive(run));
    });
  }

  /** SIGKILL, or the end of a process that has stopped. */
  end(): void {
    if (this.#state === 'dead') return;
    this.#state = 'dead';
    this.#timers = [];
    this.#arrivals = [];
    for (const run of this.#onEnd) run();
  }

  onEnd(run: () => void): void {
    this.#onEnd.push(run);
  }

  /** Calls `run` when the signal is aborted; the answer calls that off. One listener a signal: they are slow. */
  onAbort(signal: AbortSignal, run: () => void): () => void {
    let runs = this.#aborts.get(signal);
    if (runs === undefined) {
      const listening = new Set<() => void>();
      signal.addEventListener('abort', () => {
        for (const each of [...listening]) each();
      });
      this.#aborts.set(signal, listening);
      runs = listening;
    }
    runs.add(run);
    return () => runs.delete(run);
  }

  #newClock(): Clock {
    const machine = this.#machine;
    const after = (ms: number, run: () => void) => {
      const lateMs = this.#random.next() * latenessMsMax;
      let canceled = false;
      const event = this.#scheduler.after(ms / machine.rate + lateMs, () => {
        const fire = () => {
          if (canceled) return;
          this.#scheduler.enter();
          run();
        };
        if (this.#state === 'running') fire();
        else if (this.#state === 'suspended') this.#timers.push(fire);
      });
      return () => {
        canceled = true;
        event.canceled = true;
      };
    };
    const nowMs = () => machine.wallMs + this.#scheduler.nowMs * machine.rate;
    return {
      nowMs,
      monotonicMs: () =>
        machine.monotonicSteps ? nowMs() : machine.monotonicMs + this.#scheduler.nowMs * machine.rate,
      after,
      soon: (run) => void after(0, run),
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          if (signal === undefined) {
            after(ms, resolve);
            return;
          }
          if (signal.aborted) return reject(signal.reason);
          const callOff = after(ms, () => {
            forget();
            resolve();
          });
          const forget = this.onAbort(signal, () => {
            callOff();
            reject(signal.reason);
          });
        }),
    };
  }
}
