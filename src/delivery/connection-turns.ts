/**
 * How long a connection stays with a worker while others wait for one. Passing it on takes some 400 ms, in which nobody
 * uses it; a worker that has nothing left to send loses it sooner.
 */
const turnMs = 2_000;

interface Queue {
  workers: string[];
  turnedAtMs: number;
}

/** Where workers share fewer connections than they are, each gets one in turn. */
export class ConnectionTurns {
  readonly #queues = new Map<string, Queue>();

  /** Those that want one, in the order in which they get it. */
  inTurn(key: string, workers: readonly string[], nowMs: number): string[] {
    const queue = this.#queues.get(key) ?? { workers: [], turnedAtMs: nowMs };
    this.#queues.set(key, queue);
    const present = new Set(workers);
    queue.workers = queue.workers.filter((worker) => present.delete(worker));
    queue.workers.push(...[...present].sort());
    if (nowMs - queue.turnedAtMs >= turnMs) {
      queue.turnedAtMs = nowMs;
      queue.workers.push(...queue.workers.splice(0, 1));
    }
    return queue.workers;
  }
}
