import { randomBytes } from 'node:crypto';
import { counters, SeriesTallies, TagLimit } from '../../message/statistics/series-tallies.ts';
import type { ChunkRow } from './insert-chunks.ts';

const accepted = counters.indexOf('accepted');

/** What chunks that are stored in one transaction add to statistics. */
export function acceptedDelta({ batch, chunks }: { batch: string | null; chunks: readonly ChunkRow[] }): {
  id: string;
  entries: string;
} {
  const tallies = new SeriesTallies();
  const limit = new TagLimit();
  for (const { accountId, routeId, count, tags = [] } of chunks) {
    const key = { accountId, routeId, batch };
    tallies.at(0, { ...key, tag: null }).counts[accepted]! += count;
    for (const [tag, some] of tags) {
      const name = limit.nameOf(`${accountId}`, tag);
      tallies.at(0, { ...key, tag: name }).counts[accepted]! += some;
    }
  }
  return { id: `${drawnId()}`, entries: tallies.encode() };
}

/** Below zero, where no outcome's `seq` is. */
function drawnId(): bigint {
  return -1n - (randomBytes(8).readBigUInt64BE() >> 1n);
}
