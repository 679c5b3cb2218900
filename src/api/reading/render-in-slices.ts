import { setImmediate as nextTurn } from 'node:timers/promises';
import { type ChunkToRender, renderChunk } from '../../message/render-chunk.ts';

/** Renders on this thread, one chunk in a turn of the event loop, so that other requests come in between. */
export async function renderInSlices(chunk: ChunkToRender): Promise<Uint8Array> {
  await nextTurn();
  return renderChunk(chunk);
}
