import { foldOutcomes } from '../../message/fold-outcomes.ts';
import { chunkIdOf, messageIdAt, parseId } from '../../message/id.ts';
import { decodeOrdering } from '../../message/ordering.ts';
import { isFinal } from '../../message/state.ts';
import type { Queryable } from '../../store/database.ts';
import { readChunksOfKey } from '../../store/reading/read-chunks-of-key.ts';
import { readOutcomes } from '../../store/reading/read-outcomes.ts';

/**
 * The first message of the same ordering key that has to come to its end before this one: its id. Who waits for whom is as in
 * docs/decisions/ordering.md: by the keys' hashes, and nobody waits for a message that was replayed. Undefined where there is none, or
 * where it is not among the first chunks that hold the key.
 */
export async function findEarlier(
  database: Queryable,
  { accountId, id }: { accountId: number; id: string },
): Promise<string | undefined> {
  const own = { chunkId: chunkIdOf(id), offset: parseId(id).offset };
  const chunks = await readChunksOfKey(database, { accountId, ...own });
  const outcomes = await readOutcomes(database, chunks.map(({ chunkId }) => chunkId).sort());
  for (const { chunkId, count, ordering, key } of chunks) {
    const hashes = decodeOrdering(ordering);
    const [hash] = decodeOrdering(key);
    const { state, replayed } = foldOutcomes(count, outcomes.get(chunkId)!);
    const before = chunkId === own.chunkId ? own.offset : count;
    for (let offset = 0; offset < before; offset++) {
      if (hashes[offset] !== hash || isFinal(state[offset]!) || replayed?.atMs[offset]) continue;
      return messageIdAt(chunkId, offset);
    }
  }
  return undefined;
}
