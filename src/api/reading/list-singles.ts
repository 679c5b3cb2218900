import { foldOutcomes, type OutcomeRow } from '../../message/fold-outcomes.ts';
import { chunkIdOf, lowestIdAt, messageIdAt, parseId } from '../../message/id.ts';
import { type State, stateNumber } from '../../message/state.ts';
import type { Queryable } from '../../store/database.ts';
import { highestId } from '../../store/reading/id-range.ts';
import type { ChunkKey } from '../../store/reading/list-chunk-keys.ts';
import { listSinglesWithOutcome } from '../../store/reading/list-singles-with-outcome.ts';
import { readOutcomes } from '../../store/reading/read-outcomes.ts';
import { collector, type Picked } from './pick-messages.ts';
import { type FoundMessage, readLines } from './read-lines.ts';

/** Those by which messages without a batch are listed. Of the others no index tells, and none is worth its writes. */
export const singleStates = [
  'uncertain',
  'failed',
  'expired',
  'canceled',
  'suppressed',
] as const satisfies State[];

export interface SinglesSearch {
  accountId: number;
  state: (typeof singleStates)[number];
  /** Unix milliseconds: created at or after, and before. */
  sinceMs?: number | undefined;
  untilMs?: number | undefined;
  /** Goes on behind (older than) the message with this id. */
  after?: string | undefined;
  limit: number;
}

export interface FoundSingles {
  /** Newest first. */
  found: FoundMessage[];
  next: string | null;
  /** What was read on the way, by chunk. */
  outcomes: ReadonlyMap<string, readonly OutcomeRow[]>;
}

/** Chunks whose outcomes are folded at once, and in answer to one request: their messages may have left the state since. */
const chunksAtOnce = 64;
const chunksPerRequestMax = 1_024;

/** The messages of an account that belong to no batch and are in a state now. A page may be short and have a next one. */
export async function listSingles(database: Queryable, search: SinglesSearch): Promise<FoundSingles> {
  const { accountId } = search;
  const { picks, next, outcomes } = await pickSingles(database, search);
  // Chunks are read in order of id.
  for (const { offsets } of picks.reverse()) offsets.reverse();
  const found = await readLines(database, { accountId, picks });
  return { found: found.reverse(), next, outcomes };
}

async function pickSingles(database: Queryable, search: SinglesSearch): Promise<Required<Picked>> {
  const { accountId, after } = search;
  const state = stateNumber[search.state];
  const from = lowestIdAt(search.sinceMs ?? 0);
  const collected = collector(search.limit);
  const outcomes = new Map<string, OutcomeRow[]>();
  let to = upperBound(search);
  for (let looked = 0; looked < chunksPerRequestMax; looked += chunksAtOnce) {
    const keys = await listSinglesWithOutcome(database, { accountId, state, from, to, limit: chunksAtOnce });
    const rows = await readOutcomes(database, keys.map(({ id }) => id).reverse());
    for (const key of keys) {
      const chunkRows = rows.get(key.id)!;
      const folded = foldOutcomes(key.count, chunkRows);
      for (let offset = lastOffset(key, after); offset >= 0; offset--) {
        if (folded.state[offset] !== state) continue;
        outcomes.set(key.id, chunkRows);
        if (!collected.take(key, offset)) return { ...collected.full(), outcomes };
      }
    }
    if (keys.length < chunksAtOnce) return { picks: collected.picks, next: null, outcomes };
    to = keys.at(-1)!.id;
  }
  // A chunk's id is that of its first message: behind it nothing of the chunk is left.
  return { picks: collected.picks, next: to, outcomes };
}

/** Above every message that is looked for. */
function upperBound({ untilMs, after }: SinglesSearch): string {
  const until = untilMs === undefined ? highestId : lowestIdAt(untilMs);
  if (after === undefined || after >= until) return until;
  // The chunk of `after` may have more before it.
  return messageIdAt(after, 1);
}

function lastOffset({ id, count }: ChunkKey, after: string | undefined): number {
  return after !== undefined && chunkIdOf(after) === id ? parseId(after).offset - 1 : count - 1;
}
