import { ThreadPool } from '../../lib/thread-pool.ts';
import { threadScript } from '../../lib/thread-script.ts';
import type { ChunkToRender } from '../../message/render-chunk.ts';

/** Renders exported messages on a thread, so that other requests do not wait for millions of them. */
export interface RenderPool {
  render(chunks: ChunkToRender[]): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** An export is never in a hurry; deliveries are. */
const threads = 1;
/** Parts that wait, of all exports together: see `exportsMax` and `partsAheadMax`. */
const waitingMax = 64;

/** The thread is started by the first export. */
export function openRenderPool(): RenderPool {
  const pool = new ThreadPool<ChunkToRender[], Uint8Array>({
    script: threadScript('render-thread', import.meta.url),
    threads,
    waitingMax,
    resourceLimits: { maxYoungGenerationSizeMb: 16, maxOldGenerationSizeMb: 96 },
  });
  return { render: (chunks) => pool.run(chunks), close: () => pool.close() };
}
