import { type ResourceLimits, Worker } from 'node:worker_threads';
import { threadEntry } from '../lib/thread-entry.ts';
import type { State } from '../message/state.ts';
import { type AnswerKind, attemptsIn } from './attempt-log.ts';
import { noDeliveries } from './delivery-counts.ts';
import type { DeliveryThreadData, FromDelivery, ToDelivery } from './delivery-protocol.ts';
import type { DeliveryStats } from './delivery-worker.ts';
import { type Hint, hintPayloadBytesMax } from './hint.ts';

/** What the figures of deliveries are told to. */
export interface DeliveryMetrics {
  attemptAnswered(event: { route: string; answer: AnswerKind; messages: number; seconds: number }): void;
  outcomesRecorded(event: { state: State; count: number }): void;
  deliveryState(state: {
    pendingChunks: number;
    loadedChunks: number;
    sendsInFlight: number;
    ownedShards: number;
  }): void;
  databaseFault(kind: string): void;
}

export interface DeliveryHostSettings extends DeliveryThreadData {
  metrics: DeliveryMetrics;
  /** The thread died; it is started again by itself. */
  onFailure: (error: unknown) => void;
}

export interface DeliveryHost {
  /** Word of chunks that are durable now. */
  push(hints: Hint[]): void;
  /** The pending chunks of a batch have become due otherwise. */
  reread(): void;
  /** As of the last second; undefined until the first report. */
  stats(): DeliveryStats | undefined;
  /** Lets sends in flight end, records them and gives the shards back, within the time. May be called twice. */
  stop(settings: { deadlineMs: number }): Promise<void>;
}

/** Counters, and the states that they count. */
const countedStates = [
  ['sent', 'sent'],
  ['retried', 'retrying'],
  ['failed', 'failed'],
  ['expired', 'expired'],
  ['canceled', 'canceled'],
  ['uncertain', 'uncertain'],
] as const;

const scriptName = import.meta.url.endsWith('.ts') ? './delivery-thread.ts' : './delivery-thread.js';
const script = new URL(scriptName, import.meta.url);
/** 32 MB of young generation took some 35 MB more of resident memory through a flood, and delivered no faster. */
const resourceLimits: ResourceLimits = { maxYoungGenerationSizeMb: 16, maxOldGenerationSizeMb: 512 };
/** Hints that wait for one message to the thread; beyond, chunks are found by reading. */
const hintsMax = 10_000;
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
  #hints: Hint[] = [];
  #stats: DeliveryStats | undefined;
  #counted = noDeliveries();
  #restart: NodeJS.Timeout | undefined;
  #stopped: Promise<void> | undefined;

  constructor(settings: DeliveryHostSettings) {
    this.#settings = settings;
  }

  /** Resolves when the thread delivers. */
  start(): Promise<void> {
    const { databaseUrl, poolSize, namedStatements, leaseMs, secretKeys, logLevel } = this.#settings;
    const replaces = this.#stats?.workerId;
    const data: DeliveryThreadData = {
      ...{ databaseUrl, poolSize, namedStatements, leaseMs, secretKeys, logLevel },
      ...(replaces !== undefined && { replaces }),
    };
    const worker = new Worker(threadEntry(script), { workerData: data, resourceLimits });
    this.#worker = worker;
    this.#fault = undefined;
    this.#counted = noDeliveries();
    worker.on('error', (error) => {
      this.#fault = error;
    });
    return new Promise((resolve, reject) => {
      let started = false;
      worker.on('message', (message: FromDelivery) => {
        if (message.kind === 'stats') return this.#take(message);
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
          else if (this.#stopped === undefined) this.#onDeath(code);
        });
      });
    });
  }

  push(hints: Hint[]): void {
    if (this.#worker === undefined || hints.length === 0) return;
    if (this.#hints.length === 0) setImmediate(() => this.#flushHints());
    for (const hint of hints) {
      if (this.#hints.length >= hintsMax) return;
      this.#hints.push(lightened(hint));
    }
  }

  reread(): void {
    this.#post({ kind: 'reread' });
  }

  stats(): DeliveryStats | undefined {
    return this.#stats;
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

  #flushHints(): void {
    const hints = this.#hints;
    this.#hints = [];
    this.#post({ kind: 'hints', hints });
  }

  #post(message: ToDelivery): void {
    this.#worker?.postMessage(message);
  }

  #take({ stats, routeNames, attempts, faults }: FromDelivery & { kind: 'stats' }): void {
    const { metrics } = this.#settings;
    this.#stats = stats;
    for (const { routeId, ...attempt } of attemptsIn(attempts)) {
      metrics.attemptAnswered({ ...attempt, route: routeNames[routeId] ?? `route ${routeId}` });
    }
    for (const [name, state] of countedStates) {
      metrics.outcomesRecorded({ state, count: stats.counts[name] - this.#counted[name] });
    }
    this.#counted = stats.counts;
    for (const [kind, count] of Object.entries(faults)) {
      for (let n = 0; n < count; n++) metrics.databaseFault(kind);
    }
    metrics.deliveryState({
      pendingChunks: stats.lanes.reduce((sum, lane) => sum + lane.chunks, 0),
      loadedChunks: stats.loadedChunks,
      sendsInFlight: stats.inFlight,
      ownedShards: stats.shards,
    });
  }

  /** The next thread takes its shards over; what was on its way may be sent again. */
  #onDeath(code: number): void {
    this.#settings.onFailure(this.#fault ?? new Error(`the delivery thread ended with ${code}`));
    this.#restart = setTimeout(() => {
      this.start().catch(() => {
        if (this.#stopped === undefined) this.#onDeath(-1);
      });
    }, restartMs);
  }
}

/** A large payload would be copied here and there; it is read back when its turn comes. */
function lightened(hint: Hint): Hint {
  if (hint.payload === undefined || hint.payload.length <= hintPayloadBytesMax) return hint;
  const { payload: _payload, codec: _codec, ...key } = hint;
  return key;
}
