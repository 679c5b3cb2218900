/**
 * How long a connection stays with a worker while others wait for one. Passing it on takes some 400 ms, in which nobody
 * uses it; a worker that has nothing left to send loses it sooner.
 */
const turnMs = 2_000;
/** The same while interactive messages wait for it elsewhere: bulk keeps it no longer than it takes to pass it on twice. */
const yieldingTurnMs = 800;

/** What nobody waited for during so long is forgotten. */
const keptMs = 60_000;

interface Queue {
  workers: string[];
  turnedAtMs: number;
  askedAtMs: number;
}

export interface TurnAsked {
  nowMs: number;
  /** Connections: as many workers have one, the first in the queue. */
  total: number;
  /** Interactive messages of this worker wait. */
  isUrgent: (worker: string) => boolean;
}

/** Where workers share fewer connections than they are, each gets one in turn, interactive messages before bulk. */
export class ConnectionTurns {
  readonly #queues = new Map<string, Queue>();

  /** Those that want one, in the order in which they get it. */
  inTurn(key: string, workers: readonly string[], { nowMs, total, isUrgent }: TurnAsked): string[] {
    const queue = this.#queueOf(key, nowMs);
    const present = new Set(workers);
    const [before] = queue.workers;
    queue.workers = queue.workers.filter((worker) => present.delete(worker));
    queue.workers.push(...[...present].sort());
    // Who was first wants none any more: it is another one's turn from now on.
    if (queue.workers[0] !== before) queue.turnedAtMs = nowMs;
    const yields = !isUrgent(queue.workers[0]!) && queue.workers.slice(total).some(isUrgent);
    if (nowMs - queue.turnedAtMs < (yields ? yieldingTurnMs : turnMs)) return queue.workers;
    queue.turnedAtMs = nowMs;
    const [first] = queue.workers.splice(0, 1);
    const next = queue.workers.findIndex((worker, index) => index >= total - 1 && isUrgent(worker));
    if (next >= 0) queue.workers.splice(total - 1, 0, ...queue.workers.splice(next, 1));
    queue.workers.push(first!);
    return queue.workers;
  }

  #queueOf(key: string, nowMs: number): Queue {
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      for (const [other, { askedAtMs }] of this.#queues)
        if (nowMs - askedAtMs > keptMs) this.#queues.delete(other);
      queue = { workers: [], turnedAtMs: nowMs, askedAtMs: nowMs };
      this.#queues.set(key, queue);
    }
    queue.askedAtMs = nowMs;
    return queue;
  }
}
