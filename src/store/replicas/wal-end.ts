import type { Clock } from '../../lib/clock.ts';
import type { Queryable } from '../database.ts';
import { readWalEnd, type WalPosition } from './read-positions.ts';

/** Tells writers, after their COMMIT, a place in the log that is behind it. */
export interface WalEnd {
  /** Undefined when the primary does not tell in time: then nobody knows where the write is. */
  next(): Promise<WalPosition | undefined>;
}

/** A write that is durable is not kept waiting for its token: a look-up takes about a millisecond. */
const patienceMs = 250;

/**
 * One look-up for all writes that end before it begins: at most one runs, and one waits that serves whoever comes
 * meanwhile. Writes that end in one turn of the event loop, as those of one COMMIT do, share theirs.
 */
export function createWalEnd({ primary, clock }: { primary: Queryable; clock: Clock }): WalEnd {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<WalPosition | undefined> | undefined;

  async function lookUp(): Promise<WalPosition | undefined> {
    const before = running;
    await new Promise((resolve) => setImmediate(resolve));
    await before;
    // From here on nobody joins: the question is on its way.
    next = undefined;
    const asked = readWalEnd(primary).catch(() => undefined);
    running = asked;
    return await asked;
  }

  return {
    async next() {
      next ??= lookUp();
      return await withinPatience(next, clock);
    },
  };
}

async function withinPatience<Value>(value: Promise<Value>, clock: Clock): Promise<Value | undefined> {
  let callOff = () => {};
  const late = new Promise<undefined>((resolve) => {
    callOff = clock.after(patienceMs, () => resolve(undefined));
  });
  try {
    return await Promise.race([value, late]);
  } finally {
    callOff();
  }
}
