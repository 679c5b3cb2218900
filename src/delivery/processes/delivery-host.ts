import { type ResourceLimits, Worker } from 'node:worker_threads';
import { threadEntry } from '../../lib/thread-entry.ts';
import { threadScript } from '../../lib/thread-script.ts';
import type { Hint } from '../backlog/hint.ts';
import type { DeliveryReport, DeliveryThreadData, FromDelivery, ToDelivery } from './delivery-protocol.ts';
import { HintQueue } from './hint-queue.ts';

export interface DeliveryHostSettings extends DeliveryThreadData {
  /** Comes before the start has succeeded, and every second. */
  onReport: (report: DeliveryReport) => void;
  /** The thread died; it is started again by itself. */
  onFailure: (error: unknown) => void;
}

export interface DeliveryHost {
  /** Word of chunks that are durable now. */
  push(hints: Hint[]): void;
  /** A batch that waited for its closing begins. */
  released(batch: string): void;
  /** A worker of which this process knows that it has ended: its shards are free. */
  remove(workerId: string): void;
  /** Lets sends in flight end, records them and gives the shards back, within the time. May be called twice. */
  stop(settings: { deadlineMs: number }): Promise<void>;
}

const script = threadScript('delivery-thread', import.meta.url);
/** 32 MB of young generation took some 35 MB more of resident memory through a flood, and delivered no faster. */
const resourceLimits: ResourceLimits = { maxYoungGenerationSizeMb: 16, maxOldGenerationSizeMb: 512 };
const restartMs = 1_000;
/** What closing takes beside the sends. */
const stopGraceMs = 2_000;

/** Starts deliveries on a thread of their own. Rejects when they cannot begin. */
export async function startDelivery(settings: DeliveryHostSettings): Promise<DeliveryHost> {
  const host = new ThreadHost(settings);
  await host.start();
  return host;
}

class ThreadHost implements DeliveryHost {
  readonly #settings: DeliveryHostSettings;
  #worker: Worker | undefined;
  #exited: Promise<void> = Promise.resolve();
  #fault: unknown;
  readonly #hints = new HintQueue((hints) => this.#post({ kind: 'hints', hints }));
  #workerId: string | undefined;
  #restart: NodeJS.Timeout | undefined;
  #stopped: Promise<void> | undefined;

  constructor(settings: DeliveryHostSettings) {
    this.#settings = settings;
  }

  /** Resolves when the thread delivers. */
  start(): Promise<void> {
    const { databaseUrl, poolSize, namedStatements, leaseMs, secretKeys, logLevel, observe } = this.#settings;
    const data: DeliveryThreadData = {
      ...{ databaseUrl, poolSize, namedStatements, leaseMs, secretKeys, logLevel },
      ...(observe && { observe }),
      ...(this.#workerId !== undefined && { replaces: this.#workerId }),
    };
    const worker = new Worker(threadEntry(script), { workerData: data, resourceLimits });
    this.#worker = worker;
    this.#fault = undefined;
    worker.on('error', (error) => {
      this.#fault = error;
    });
    return new Promise((resolve, reject) => {
      let started = false;
      worker.on('message', (message: FromDelivery) => {
        if (message.kind === 'stats') {
          this.#workerId = message.stats.workerId;
          this.#settings.onReport(message);
        }
        if (message.kind !== 'started') return;
        started = true;
        resolve();
      });
      this.#exited = new Promise((exited) => {
        worker.once('exit', (code) => {
          exited();
          if (this.#worker === worker) this.#worker = undefined;
          if (!started)
            reject(this.#fault ?? new Error(`the delivery thread ended with ${code} at its start`));
          else if (this.#stopped === undefined)
            this.#onDeath(this.#fault ?? new Error(`the delivery thread ended with ${code}`));
        });
      });
    });
  }

  push(hints: Hint[]): void {
    if (this.#worker !== undefined) this.#hints.push(hints);
  }

  released(batch: string): void {
    this.#post({ kind: 'released', batch });
  }

  remove(workerId: string): void {
    this.#post({ kind: 'remove', workerId });
  }

  stop({ deadlineMs }: { deadlineMs: number }): Promise<void> {
    this.#stopped ??= this.#stop(deadlineMs);
    return this.#stopped;
  }

  async #stop(deadlineMs: number): Promise<void> {
    clearTimeout(this.#restart);
    const worker = this.#worker;
    if (worker === undefined) return;
    const timer = setTimeout(() => void worker.terminate(), deadlineMs + stopGraceMs);
    this.#post({ kind: 'stop', deadlineMs });
    await this.#exited;
    clearTimeout(timer);
  }

  #post(message: ToDelivery): void {
    this.#worker?.postMessage(message);
  }

  /** The next thread takes its shards over; what was on its way may be sent again. */
  #onDeath(reason: unknown): void {
    this.#settings.onFailure(reason);
    this.#restart = setTimeout(() => {
      this.start().catch((error: unknown) => {
        if (this.#stopped === undefined) this.#onDeath(error);
      });
    }, restartMs);
  }
}
