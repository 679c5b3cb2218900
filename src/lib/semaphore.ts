/** Lets at most `permits` pieces of work run at once; the others wait in order. */
export interface Semaphore {
  /** Resolves to a function that gives the permit back; calling it again does nothing. */
  acquire(): Promise<() => void>;
  /** Does a piece of work under a permit. */
  run<Result>(work: () => Promise<Result>): Promise<Result>;
}

export function createSemaphore(permits: number): Semaphore {
  const waiting: Array<() => void> = [];
  let free = permits;

  function release(): () => void {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const next = waiting.shift();
      if (next) next();
      else free++;
    };
  }

  function acquire(): Promise<() => void> {
    if (free > 0) {
      free--;
      return Promise.resolve(release());
    }
    return new Promise((resolve) => waiting.push(() => resolve(release())));
  }

  return {
    acquire,
    async run(work) {
      const done = await acquire();
      try {
        return await work();
      } finally {
        done();
      }
    },
  };
}
