import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Clock } from '../../lib/clock.ts';
import type { Hint } from '../backlog/hint.ts';
import type { DeliveryHost } from './delivery-host.ts';
import type { DeliveryReport, FromDelivery, ToDelivery } from './delivery-protocol.ts';
import { HintQueue } from './hint-queue.ts';

export interface DeliveryProcessSettings {
  /** Starts a process that runs `serveDeliveries` and has an IPC channel of structured clones. */
  spawn: () => ChildProcess;
  clock: Clock;
  onReport: (report: DeliveryReport) => void;
  /** The process has ended without being asked to; another is started by itself. `workerId`: whose shards it had. */
  onDeath: (death: { error: Error; workerId: string | undefined }) => void;
}

/** Messages of hints on their way through the channel; a process that is suspended does not read them. */
const hintsUnderWayMax = 64;
/** Between the death of a process and the next one's start: a defect that kills at once must not fill the log. */
const restartMs = { min: 1_000, max: 30_000 };
/** One that ran for so long was well: the next wait is the shortest again. */
const wellAfterMs = 60_000;
/** What the process takes beside its sends to end. */
const stopGraceMs = 5_000;

/** Starts deliveries in a process of their own. Rejects when they cannot begin. */
export async function startDeliveryProcess(settings: DeliveryProcessSettings): Promise<DeliveryHost> {
  const host = new ProcessHost(settings);
  await host.start();
  return host;
}

class ProcessHost implements DeliveryHost {
  readonly #settings: DeliveryProcessSettings;
  #child: ChildProcess | undefined;
  #workerId: string | undefined;
  readonly #hints = new HintQueue((hints) => this.#sendHints(hints));
  #hintsUnderWay = 0;
  #waitMs = restartMs.min;
  #callOff: (() => void) | undefined;
  #stopped: Promise<void> | undefined;

  constructor(settings: DeliveryProcessSettings) {
    this.#settings = settings;
  }

  /** Resolves when the process delivers. */
  start(): Promise<void> {
    const child = this.#settings.spawn();
    const { clock } = this.#settings;
    const beganMs = clock.monotonicMs();
    this.#child = child;
    this.#workerId = undefined;
    this.#hintsUnderWay = 0;
    return new Promise((resolve, reject) => {
      let started = false;
      child.on('message', (message: FromDelivery) => {
        if (message.kind === 'stats') {
          this.#workerId = message.stats.workerId;
          this.#settings.onReport(message);
        } else if (message.kind === 'started') {
          started = true;
          resolve();
        }
      });
      const onEnd = (error: Error) => {
        if (this.#child !== child) return;
        this.#child = undefined;
        if (clock.monotonicMs() - beganMs >= wellAfterMs) this.#waitMs = restartMs.min;
        if (started && this.#stopped === undefined) this.#onDeath(error);
        reject(error);
      };
      child.once('error', onEnd);
      // Not `exit`, which may come before the last reports that it wrote: they would be of one that is gone.
      child.once('close', (status, signal) =>
        onEnd(new Error(`delivery process ${child.pid} ended by itself (${signal ?? `status ${status}`})`)),
      );
    });
  }

  push(hints: Hint[]): void {
    if (this.#child !== undefined) this.#hints.push(hints);
  }

  released(batch: string): void {
    this.#send({ kind: 'released', batch });
  }

  remove(workerId: string): void {
    this.#send({ kind: 'remove', workerId });
  }

  stop({ deadlineMs }: { deadlineMs: number }): Promise<void> {
    this.#stopped ??= this.#stop(deadlineMs);
    return this.#stopped;
  }

  /** A channel that closes is what tells the process to stop: it closes as well when this one is killed. */
  async #stop(deadlineMs: number): Promise<void> {
    this.#callOff?.();
    const child = this.#child;
    if (child === undefined) return;
    const ended = once(child, 'exit');
    if (child.connected) child.disconnect();
    const callOff = this.#settings.clock.after(deadlineMs + stopGraceMs, () => child.kill('SIGKILL'));
    await ended;
    callOff();
  }

  #sendHints(hints: Hint[]): void {
    if (this.#hintsUnderWay >= hintsUnderWayMax) return;
    this.#hintsUnderWay++;
    const child = this.#child;
    this.#send({ kind: 'hints', hints }, () => {
      if (this.#child === child) this.#hintsUnderWay--;
    });
  }

  /** A channel that broke is a process that ended: whoever watches its exit is told. */
  #send(message: ToDelivery, onSent = () => {}): void {
    if (this.#child?.connected) this.#child.send(message, onSent);
  }

  #onDeath(error: Error): void {
    this.#settings.onDeath({ error, workerId: this.#workerId });
    const waitMs = this.#waitMs;
    this.#waitMs = Math.min(2 * waitMs, restartMs.max);
    this.#callOff = this.#settings.clock.after(waitMs, () => {
      this.start().catch((again: Error) => {
        if (this.#stopped === undefined) this.#onDeath(again);
      });
    });
  }
}
