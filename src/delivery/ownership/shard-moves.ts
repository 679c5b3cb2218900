import type { Clock } from '../../lib/clock.ts';
import type { ShardEpoch } from '../../store/delivery/claim-shards.ts';

export interface ShardMovesSettings {
  clock: Clock;
  leaseMs: number;
  random: () => number;
  /** Claims all of these, or releases them; false when one of them stayed locked for `lockMs`, and then nothing was done. */
  move: (shards: ShardEpoch[], lockMs: number) => Promise<boolean>;
}

/** How long a move waits for a lock: 100 ms of a lease of 5 s. Recordings end within milliseconds. */
const lockShare = 0.02;
/** For moves, at most, of each turn of ownership, which has a lease to renew every third of it. */
const turnShare = 0.2;
/**
 * Into so many parts is divided what holds a locked shard. A move that succeeds costs a few milliseconds, one that finds
 * a lock all of its time: of 1,024 shards, one that is locked is found by three of those, each further one by two more.
 */
const parts = 32;

/**
 * Moves shards, to a worker that claims them or from one that releases them, all together, and what is locked apart. A
 * row of `shard_owner` may be locked for long, by a worker that was stopped amid a recording or by somebody's session: the
 * others are moved at once, and that one when it is free.
 */
export class ShardMoves {
  readonly #settings: ShardMovesSettings;
  /** Shards that were found locked: each is moved by itself until that succeeds. */
  readonly #locked = new Set<number>();

  constructor(settings: ShardMovesSettings) {
    this.#settings = settings;
  }

  /** Moves as many of these as are wanted, those last that were found locked before. */
  async run(shards: readonly ShardEpoch[], wanted: number): Promise<void> {
    const { clock, leaseMs, random, move } = this.#settings;
    const lockMs = Math.ceil(leaseMs * lockShare);
    const endMs = clock.monotonicMs() + leaseMs * turnShare;
    // Several workers find the same free shards at the same time: they draw different ones.
    const drawn = (locked: boolean) =>
      shuffled(
        shards.filter(({ shard }) => this.#locked.has(shard) === locked),
        random,
      );
    const [others, locked] = [drawn(false).slice(0, wanted), drawn(true)];
    const groups = others.length > 0 ? [others] : [];
    while (groups.length > 0 && clock.monotonicMs() < endMs) {
      const group = groups.shift()!;
      if (await move(group, lockMs)) continue;
      if (group.length > 1) groups.unshift(...divided(group));
      else this.#locked.add(group[0]!.shard);
    }
    for (const one of locked.slice(0, wanted - others.length)) {
      // One that is still locked is enough of a wait for one turn.
      if (clock.monotonicMs() >= endMs || !(await move([one], lockMs))) return;
      this.#locked.delete(one.shard);
    }
  }
}

function divided(group: readonly ShardEpoch[]): ShardEpoch[][] {
  const size = Math.ceil(group.length / parts);
  const groups: ShardEpoch[][] = [];
  for (let from = 0; from < group.length; from += size) groups.push(group.slice(from, from + size));
  return groups;
}

function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  const copy = [...items];
  for (let index = copy.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1));
    [copy[index], copy[other]] = [copy[other]!, copy[index]!];
  }
  return copy;
}
