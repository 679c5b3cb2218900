import type { Clock } from '../../lib/clock.ts';
import type { ConsistencyToken } from '../../lib/log-position.ts';
import type { Queryable } from '../database.ts';
import type { LagHistory } from './lag-history.ts';
import { readFrom } from './read-from.ts';
import { readWalEnd, type WalPosition } from './read-positions.ts';
import type { Replica } from './replica.ts';
import type { WalEnd } from './wal-end.ts';

/** The log of the one database there is: the `cell` of a token. */
export const homeCell = 'home';

export interface ReplicaFigures {
  name: string;
  used: boolean;
  behindMs: number | undefined;
  behindBytes: number | undefined;
}

/** Chooses where reads are made, and tells writers what reads must have seen. */
export interface ReplicaSet {
  /** After a COMMIT: what a read must carry to see it. */
  token(): Promise<ConsistencyToken>;
  /**
   * Where the statements of one read are to be made, all of them: on a replica that is good enough, that has replayed
   * what the token names; else on the primary.
   */
  choose(token: ConsistencyToken | undefined): Promise<Queryable>;
  /** The primary's timeline, where a token is of an earlier one: what it names may have been lost with the primary of then. */
  laterTimeline(token: ConsistencyToken): number | undefined;
  figures(): ReplicaFigures[];
  /** Asks the primary how far it is. */
  measurePrimary(): Promise<void>;
  readonly replicas: readonly Replica[];
}

export interface ReplicaSetSettings {
  primary: Queryable;
  /** Asks the primary about its log, on a connection of its own. */
  watch: Queryable;
  replicas: readonly Replica[];
  history: LagHistory;
  walEnd: WalEnd;
  clock: Clock;
  /** A read is made on `target`: the name of a replica, or `primary`. */
  onRead?: (target: string) => void;
  /** A read failed on a replica and goes on at the primary. */
  onRepeat?: (target: string) => void;
}

/** A replica that was as near as this is asked again for a write that it had not replayed when it was asked last. */
const nearMs = 250;
/** How long a read waits for that answer before it goes to the primary. */
const askAgainMs = 25;

export function createReplicaSet(settings: ReplicaSetSettings): ReplicaSet {
  const { primary, watch, replicas, history, walEnd, clock } = settings;
  let turn = 0;

  function pick(place: WalPosition | undefined): Replica | undefined {
    for (let tried = 0; tried < replicas.length; tried++) {
      const replica = replicas[turn++ % replicas.length]!;
      if (replica.isUsable() && (place === undefined || replica.mayShow(place))) return replica;
    }
    return undefined;
  }

  /** What is measured twice a second does not tell of a write of this moment. */
  async function askNear(): Promise<void> {
    const near = replicas.filter((replica) => replica.isUsable() && (replica.behindMs ?? nearMs) < nearMs);
    if (near.length === 0) return;
    let callOff = () => {};
    const late = new Promise<void>((resolve) => {
      callOff = clock.after(askAgainMs, resolve);
    });
    await Promise.race([Promise.all(near.map((replica) => replica.measure())), late]);
    callOff();
  }

  async function find(token: ConsistencyToken | undefined): Promise<Replica | undefined> {
    if (token === undefined) return pick(undefined);
    const place = placeAtHome(token);
    if (place === undefined) return undefined;
    const replica = pick(place);
    if (replica) return replica;
    await askNear();
    return pick(place);
  }

  return {
    replicas,
    async token() {
      const end = await walEnd.next();
      return end === undefined ? 'unknown' : [{ log: homeCell, ...end }];
    },
    async choose(token) {
      const replica = await find(token);
      settings.onRead?.(replica?.name ?? 'primary');
      if (!replica) return primary;
      const place = token && placeAtHome(token);
      return readFrom(replica.read(place), { primary, onRepeat: () => settings.onRepeat?.(replica.name) });
    },
    laterTimeline(token) {
      const timeline = history.last()?.timeline;
      if (timeline === undefined || token === 'unknown') return undefined;
      const isEarlier = token.some((place) => place.log === homeCell && place.timeline < timeline);
      return isEarlier ? timeline : undefined;
    },
    figures: () =>
      replicas.map((replica) => ({
        name: replica.name,
        used: replica.isUsable(),
        behindMs: replica.behindMs,
        behindBytes: replica.behindBytes,
      })),
    async measurePrimary() {
      const askedAtMs = clock.monotonicMs();
      // Asked before, so that what is found was there at that time at the latest.
      history.add(await readWalEnd(watch), askedAtMs);
    },
  };
}

/** Undefined where only the primary is certain to have everything. */
function placeAtHome(token: ConsistencyToken): WalPosition | undefined {
  if (token === 'unknown' || token.some(({ log }) => log !== homeCell)) return undefined;
  return token[0];
}
