import { byWeight } from '../../lib/by-weight.ts';
import { frameLine, splitFrame } from '../../message/chunk-codec.ts';
import { frameToShow } from '../../message/stored-message.ts';
import type { Queryable } from '../../store/database.ts';
import { readChunks, type StoredChunk } from '../../store/reading/read-chunks.ts';

/** What a message has in common with the others of its chunk. */
type ChunkHead = Pick<StoredChunk, 'id' | 'batch' | 'routeId' | 'count' | 'codec' | 'templates'>;

/** A message as it was sent in: `line` is one JSON object. */
export interface FoundMessage {
  chunk: ChunkHead;
  offset: number;
  line: string;
}

/** Some messages of a chunk. */
export interface ChunkPick {
  id: string;
  /** Messages in the chunk. */
  count: number;
  offsets: number[];
}

/** Messages in chunks that are held in memory at once: some 300 kB compressed, at most 8 MiB. */
const messagesAtOnceMax = 8_000;
/** Of up to so many messages each is cut out by itself, of more the whole frame is split. */
const cutSinglyMax = 8;

/** Reads the lines of some messages of an account, in the order of `picks`, which are in order of id. */
export async function readLines(
  database: Queryable,
  { accountId, picks }: { accountId: number; picks: readonly ChunkPick[] },
): Promise<FoundMessage[]> {
  const found: FoundMessage[] = [];
  for (const some of byWeight(picks, { weight: ({ count }) => count, max: messagesAtOnceMax })) {
    const chunks = await readChunks(database, { accountId, ids: some.map(({ id }) => id) });
    const byId = new Map(chunks.map((chunk) => [chunk.id, chunk]));
    for (const { id, offsets } of some) {
      const chunk = byId.get(id);
      if (chunk) found.push(...cutLines(chunk, offsets));
    }
  }
  return found;
}

function cutLines(stored: StoredChunk, offsets: number[]): FoundMessage[] {
  const chunk = headOf(stored);
  const frame = frameToShow(stored);
  const lines = offsets.length > cutSinglyMax ? splitFrame(frame) : undefined;
  return offsets.map((offset) => ({ chunk, offset, line: lines?.[offset] ?? frameLine(frame, offset) }));
}

/** The payload is not kept with its messages. */
export function headOf({ id, batch, routeId, count, codec, templates }: StoredChunk): ChunkHead {
  return { id, batch, routeId, count, codec, templates };
}
