import { foldOutcomes, type OutcomeRow } from '../../message/fold-outcomes.ts';
import { chunkIdOf, messageIdAt, parseId } from '../../message/id.ts';
import { limits } from '../../message/limits.ts';
import { isFinal, type StateNumber, stateNumber } from '../../message/state.ts';
import type { Queryable } from '../../store/database.ts';
import { type ChunkKey, listChunkKeys } from '../../store/reading/list-chunk-keys.ts';
import { listChunksWithOutcome } from '../../store/reading/list-chunks-with-outcome.ts';
import { listUndoneChunks } from '../../store/reading/list-undone-chunks.ts';
import { readOutcomes } from '../../store/reading/read-outcomes.ts';
import type { ChunkPick } from './read-lines.ts';

export interface PickSettings {
  batch: string;
  /** Goes on behind the message with this id. */
  after?: string | undefined;
  /** Messages at most. */
  limit: number;
}

export interface Picked {
  picks: ChunkPick[];
  /** From where to go on, or null at the end of the batch. */
  next: string | null;
  /** What was read on the way, by chunk. */
  outcomes?: Map<string, OutcomeRow[]>;
}

/** The next messages of a batch, in order of id. */
export async function pickMessages(database: Queryable, settings: PickSettings): Promise<Picked> {
  const { batch, after, limit } = settings;
  // Every chunk has a message at least; the first may have none behind `after`, and one more shows the end.
  const keys = await listChunkKeys(database, { batch, from: fromOf(after), limit: limit + 2 });
  const collected = collector(limit);
  for (const { id, count } of keys) {
    for (let offset = firstOffset(id, after); offset < count; offset++) {
      if (!collected.take({ id, count }, offset)) return collected.full();
    }
  }
  return { picks: collected.picks, next: null };
}

/** Chunks whose outcomes are folded at once, and in answer to one request. */
const chunksAtOnce = 64;
const chunksPerRequestMax = 1_024;

/**
 * The next messages of a batch that are in one state now. A page may hold fewer than asked for and still have
 * a next one: where a state is rare and no index tells, a request looks at a bounded number of chunks.
 */
export async function pickByState(
  database: Queryable,
  { state, ...settings }: PickSettings & { state: StateNumber },
): Promise<Picked> {
  const { batch, after, limit } = settings;
  const collected = collector(limit);
  const outcomes = new Map<string, OutcomeRow[]>();
  let from = fromOf(after);
  for (let looked = 0; looked < chunksPerRequestMax; looked += chunksAtOnce) {
    const keys = await candidates(database, { batch, state, from, limit: chunksAtOnce });
    const rows = await readOutcomes(
      database,
      keys.map(({ id }) => id),
    );
    for (const key of keys) {
      const chunkRows = rows.get(key.id)!;
      const folded = foldOutcomes(key.count, chunkRows);
      for (let offset = firstOffset(key.id, after); offset < key.count; offset++) {
        if (folded.state[offset] !== state) continue;
        outcomes.set(key.id, chunkRows);
        if (!collected.take(key, offset)) return { ...collected.full(), outcomes };
      }
    }
    if (keys.length < chunksAtOnce) return { picks: collected.picks, next: null, outcomes };
    from = messageIdAt(keys.at(-1)!.id, 1);
  }
  return { picks: collected.picks, next: lastIdOf(chunkIdOf(from!)), outcomes };
}

/** Chunks that may hold a message in the state: all of them only for `sent` and `delivered`. */
function candidates(
  database: Queryable,
  page: { batch: string; state: StateNumber; from: string | undefined; limit: number },
): Promise<ChunkKey[]> {
  const { state } = page;
  // Replay reopens what was final, so that any state that is not final makes its chunk pending.
  if (!isFinal(state)) return listUndoneChunks(database, page);
  const usual = state === stateNumber.sent || state === stateNumber.delivered;
  return usual ? listChunkKeys(database, page) : listChunksWithOutcome(database, page);
}

function fromOf(after: string | undefined): string | undefined {
  return after === undefined ? undefined : chunkIdOf(after);
}

function firstOffset(chunkId: string, after: string | undefined): number {
  return after !== undefined && chunkIdOf(after) === chunkId ? parseId(after).offset + 1 : 0;
}

function lastIdOf(chunkId: string): string {
  return messageIdAt(chunkId, limits.chunkMessagesMax - 1);
}

/** Gathers up to `limit` messages; one more shows that there is a next page. */
export function collector(limit: number) {
  const picks: ChunkPick[] = [];
  let count = 0;
  let last = '';
  return {
    picks,
    take(key: ChunkKey, offset: number): boolean {
      if (count === limit) return false;
      if (picks.at(-1)?.id !== key.id) picks.push({ ...key, offsets: [] });
      picks.at(-1)!.offsets.push(offset);
      last = messageIdAt(key.id, offset);
      count++;
      return true;
    },
    full: (): Picked => ({ picks, next: last }),
  };
}
