import { encodeOrdering } from '../../src/message/ordering.ts';
import type { SeededRandom } from './seeded-random.ts';

/** The ordering keys of the messages of a chunk, which are of one shard. */
export interface DrawnKeys {
  shard: number;
  /** By offset. */
  keys: readonly number[];
  /** As the row of `pending` has them; a key is its own hash here. */
  ordering: Uint8Array;
}

/** Few, so that chunks meet in them. */
const keysPerShard = 2;
const shardsPerAccount = 2;

export function drawKeys(
  random: SeededRandom,
  { accountId, shards, count }: { accountId: number; shards: number; count: number },
): DrawnKeys {
  const lane = random.whole(0, shardsPerAccount - 1);
  const first = lane * keysPerShard;
  const keys = Array.from({ length: count }, () => random.whole(first, first + keysPerShard - 1));
  const shard = (accountId * shardsPerAccount + lane) % shards;
  return { shard, keys, ordering: encodeOrdering(keys) };
}
