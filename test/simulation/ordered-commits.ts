import type { Session } from './model-database.ts';
import { takePlace } from './model-places.ts';
import type { ModelServer } from './model-server.ts';

/** A chunk that is to be committed in its place. */
interface OrderedCommit {
  shard: number;
  /** From the id to the commit, as long as nobody else has the places of the shard. */
  takesMs: number;
  /** It is committed, and seen from now on. */
  commit: (place: number) => void;
  /** It was never stored, and nobody was told that it is. */
  giveUp: () => void;
}

/** So long intake tries to store what came; whoever waits for longer is told to come again. */
export const orderedCommitMsMax = 9_000;
/** Wait before what a crash has rolled back is stored again. */
const retryMs = 100;

/** Stores chunks with ordering keys as intake does: each waits for the one before it on its shard to be committed. */
export class OrderedCommits {
  readonly #server: ModelServer;
  /** A plant: the row of the places is not locked until the commit. */
  readonly #unlocked: boolean;

  constructor(server: ModelServer, { unlocked = false }: { unlocked?: boolean | undefined }) {
    this.#server = server;
    this.#unlocked = unlocked;
  }

  begin(chunk: OrderedCommit): void {
    const { random, scheduler } = this.#server;
    const untilMs = scheduler.nowMs + orderedCommitMsMax;
    // What is late may be so before it takes its place, or while it keeps all others from theirs.
    const beforeMs = chunk.takesMs * random.next();
    scheduler.after(beforeMs, () => this.#try(chunk, { untilMs, heldMs: chunk.takesMs - beforeMs }));
  }

  #try(chunk: OrderedCommit, at: { untilMs: number; heldMs: number }): void {
    const { scheduler, database, away } = this.#server;
    if (scheduler.nowMs >= at.untilMs) {
      chunk.giveUp();
      return;
    }
    const again = () => scheduler.after(retryMs, () => this.#try(chunk, at));
    if (away) {
      again();
      return;
    }
    const session = this.#server.begin('intake');
    let waits = true;
    this.#takePlace(session, chunk.shard, (place) => {
      waits = false;
      scheduler.after(at.heldMs, () => {
        if (session.ended) {
          again();
          return;
        }
        session.writes.push({ apply: () => chunk.commit(place) });
        database.commit(session);
      });
    });
    if (!waits) return;
    scheduler.after(at.untilMs - scheduler.nowMs, () => {
      if (!waits) return;
      database.abort(session);
      chunk.giveUp();
    });
  }

  #takePlace(session: Session, shard: number, taken: (place: number) => void): void {
    const { database } = this.#server;
    if (!this.#unlocked) {
      takePlace(database, session, { shard, taken });
      return;
    }
    const place = (database.places.get(shard) ?? 0) + 1;
    database.places.set(shard, place);
    taken(place);
  }
}
