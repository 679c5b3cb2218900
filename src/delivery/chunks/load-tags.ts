import { decodeChunk, splitFrame } from '../../message/chunk-codec.ts';
import type { TaggedChunkRow } from '../../store/delivery/load-chunks.ts';
import type { PendingChunk } from '../backlog/pending-chunk.ts';
import type { ChunkStore } from '../delivery-store.ts';
import type { DefaultsCache } from './defaults-cache.ts';

/** What tells the tags of a chunk's messages. */
export interface ChunkTags {
  /** None where no message names any. */
  lines: string[];
  defaultTags?: readonly string[] | undefined;
}

/** Reads the tags of chunks that are loaded without their text: what is decided on their messages is counted by them. */
export async function loadTags(
  store: Pick<ChunkStore, 'loadTaggedChunks'>,
  { chunks, defaults }: { chunks: readonly PendingChunk[]; defaults: DefaultsCache },
): Promise<(chunk: PendingChunk) => ChunkTags> {
  if (chunks.length === 0) return () => ({ lines: [] });
  const [tagged, ofBatches] = await Promise.all([
    store.loadTaggedChunks({ ids: chunks.map(({ id }) => id) }),
    defaults.load(chunks.map(({ batch }) => batch)),
  ]);
  const lines = new Map(tagged.map((row) => [row.id, linesOf(row)]));
  return ({ id, batch }) => ({
    lines: lines.get(id) ?? [],
    defaultTags: batch === null ? undefined : ofBatches.get(batch)?.tags,
  });
}

/** What cannot be read is counted without its tags. */
function linesOf({ codec, payload }: TaggedChunkRow): string[] {
  try {
    return splitFrame(decodeChunk(codec, payload));
  } catch {
    return [];
  }
}
