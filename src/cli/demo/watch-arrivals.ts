import { setTimeout as sleep } from 'node:timers/promises';

export interface Arrivals {
  /** Calls back with the time of arrival (epoch ms), which may lie in the past already. */
  expect(id: string, arrived: (atMs: number) => void): void;
  /** Expected and not arrived yet. */
  missing(): number;
  /** Asks the provider once. */
  runOnce(): Promise<void>;
  stop(): void;
}

const pollMs = 250;
const pageArrivals = 5_000;

/** Follows what the simulated provider received, by its own clock on the same machine. */
export function watchArrivals(sinkUrl: string): Arrivals {
  const expected = new Map<string, (atMs: number) => void>();
  /** Arrived before the server had answered the post. */
  const early = new Map<string, number>();
  let after = 0;
  let stopped = false;
  let running: Promise<void> | undefined;

  async function read(): Promise<void> {
    for (let length = pageArrivals; length === pageArrivals && !stopped; ) {
      const answer = await fetch(new URL(`/arrivals?after=${after}&limit=${pageArrivals}`, sinkUrl));
      const { data, next } = (await answer.json()) as { data: { id: string; at: number }[]; next: number };
      for (const { id, at } of data) {
        const arrived = expected.get(id);
        if (arrived === undefined) early.set(id, at);
        else arrived(at);
        expected.delete(id);
      }
      [after, length] = [next, data.length];
    }
  }

  async function runOnce(): Promise<void> {
    running ??= read().finally(() => {
      running = undefined;
    });
    await running;
    await sleep(pollMs, undefined, { ref: false });
  }

  async function loop(): Promise<void> {
    // A poll that fails is repeated by the next one; that the provider is gone, its process tells.
    while (!stopped) await runOnce().catch(() => sleep(pollMs));
  }
  void loop();

  return {
    expect(id, arrived) {
      const at = early.get(id);
      if (at === undefined) expected.set(id, arrived);
      else arrived(at);
      early.delete(id);
    },
    missing: () => expected.size,
    runOnce,
    stop() {
      stopped = true;
    },
  };
}
