import { lowestIdAt, unixMsOf } from '../../message/id.ts';

/** Above every id that can be made. */
export const highestId = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/**
 * How far a chunk's time may lie before its batch's: ids are made by several processes, whose clocks follow
 * the database's. Generous, because it only decides which partitions a search may leave out.
 */
const clockSlackMs = 600_000;

/** Below every chunk of a batch. */
export function lowestChunkOf(batchId: string): string {
  return lowestIdAt(unixMsOf(batchId) - clockSlackMs);
}
