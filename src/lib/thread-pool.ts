import { type ResourceLimits, type Transferable, Worker } from 'node:worker_threads';
import { threadEntry } from './thread-entry.ts';

export interface ThreadPoolSettings {
  /** The module that every thread runs: it calls `serveTasks`. */
  script: URL;
  /** Threads at most; each is started when there is work for it. */
  threads: number;
  /** Tasks that may wait for a thread; one more is refused. */
  waitingMax: number;
  resourceLimits?: ResourceLimits;
}

/** What threads and pool say to each other. */
export interface ThreadTask<Task> {
  id: number;
  task: Task;
}
export type ThreadAnswer<Result> = { id: number; result: Result } | { id: number; error: unknown };

/** A thread holds some 35 MB: one that has had nothing to do for this long gives them back. */
const idleMs = 5_000;

/** Two tasks a thread: it finds the next one when it has finished one. */
const tasksPerThread = 2;

/** Runs tasks on threads of their own. A thread that dies fails the tasks it had, and is replaced. */
export class ThreadPool<Task, Result> {
  readonly #settings: ThreadPoolSettings;
  readonly #threads = new Set<Thread<Result>>();
  readonly #waiting: Waiting<Task, Result>[] = [];
  #lastId = 0;
  #closed = false;

  constructor(settings: ThreadPoolSettings) {
    this.#settings = settings;
  }

  /**
   * Resolves to what the thread answers; what it throws, and a thread's death, rejects. The buffers in
   * `transfer` move to the thread.
   */
  run(task: Task, transfer: readonly Transferable[] = []): Promise<Result> {
    if (this.#closed) return Promise.reject(new ThreadError('the threads are closed'));
    if (this.#waiting.length >= this.#settings.waitingMax) {
      return Promise.reject(new ThreadError(`${this.#waiting.length} tasks wait for a thread already`));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ task, transfer, resolve, reject });
      this.#dispatch();
    });
  }

  /** Fails what waits, lets what runs end, and stops the threads. May be called twice. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { reject } of this.#waiting.splice(0)) reject(new ThreadError('the threads are closed'));
    await Promise.all([...this.#threads].map((thread) => thread.stop()));
  }

  #dispatch(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const thread = this.#freeThread();
      if (thread === undefined) return;
      this.#waiting.shift();
      this.#lastId++;
      thread.give({ id: this.#lastId, task: next.task }, next);
    }
  }

  /** An idle thread, else a new one, else one that has room for a task behind the one it runs. */
  #freeThread(): Thread<Result> | undefined {
    let freest: Thread<Result> | undefined;
    for (const thread of this.#threads) {
      if (freest === undefined || thread.load < freest.load) freest = thread;
    }
    if (freest?.load === 0) return freest;
    if (this.#threads.size < this.#settings.threads) return this.#start();
    return freest !== undefined && freest.load < tasksPerThread ? freest : undefined;
  }

  #start(): Thread<Result> {
    const thread: Thread<Result> = new Thread(this.#settings, {
      onAnswer: () => this.#dispatch(),
      onRetire: () => this.#threads.delete(thread),
      onExit: () => {
        this.#threads.delete(thread);
        this.#dispatch();
      },
    });
    this.#threads.add(thread);
    return thread;
  }
}

/** The pool or one of its threads could not do a task. */
class ThreadError extends Error {
  override readonly name = 'ThreadError';
}

interface Pending<Result> {
  transfer: readonly Transferable[];
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

interface Waiting<Task, Result> extends Pending<Result> {
  task: Task;
}

class Thread<Result> {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending<Result>>();
  readonly #exited: Promise<void>;
  readonly #onAnswer: () => void;
  /** Called when the thread ends for want of work: no task may be given to it any more. */
  readonly #onRetire: () => void;
  #idleTimer: NodeJS.Timeout | undefined;
  /** Resolves `stop` when the last task has been answered. */
  #onIdle: (() => void) | undefined;
  #stopping: Promise<void> | undefined;
  #fault: unknown;

  constructor(
    settings: ThreadPoolSettings,
    events: { onAnswer: () => void; onRetire: () => void; onExit: () => void },
  ) {
    const { script, resourceLimits } = settings;
    this.#onAnswer = events.onAnswer;
    this.#onRetire = events.onRetire;
    this.#worker = new Worker(threadEntry(script), resourceLimits ? { resourceLimits } : {});
    this.#worker.unref();
    this.#worker.on('message', (answer: ThreadAnswer<Result>) => this.#take(answer));
    this.#worker.on('error', (error: unknown) => {
      this.#fault = error;
    });
    this.#exited = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        this.#failAll(code);
        events.onExit();
        resolve();
      });
    });
  }

  get load(): number {
    return this.#pending.size;
  }

  give(message: ThreadTask<unknown>, pending: Pending<Result>): void {
    try {
      this.#worker.postMessage(message, pending.transfer);
    } catch (error) {
      pending.reject(error);
      return;
    }
    clearTimeout(this.#idleTimer);
    this.#pending.set(message.id, pending);
    // A process waits for its tasks, but not for idle threads.
    this.#worker.ref();
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    clearTimeout(this.#idleTimer);
    if (this.load > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    await this.#worker.terminate();
    await this.#exited;
  }

  #take(answer: ThreadAnswer<Result>): void {
    const pending = this.#pending.get(answer.id);
    if (pending === undefined) return;
    this.#pending.delete(answer.id);
    if ('error' in answer) pending.reject(answer.error);
    else pending.resolve(answer.result);
    if (this.load === 0) this.#rest();
    this.#onAnswer();
  }

  #rest(): void {
    this.#worker.unref();
    this.#onIdle?.();
    this.#idleTimer = setTimeout(() => this.#retire(), idleMs);
    this.#idleTimer.unref();
  }

  #retire(): void {
    this.#onRetire();
    void this.stop();
  }

  #failAll(code: number): void {
    const why = this.#fault instanceof Error ? this.#fault.message : `exit code ${code}`;
    const error = new ThreadError(`a thread died with this task in hand: ${why}`, { cause: this.#fault });
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    this.#onIdle?.();
  }
}
