import { serveTasks } from '../../lib/serve-tasks.ts';
import { type ChunkToRender, renderChunks } from '../../message/render-chunk.ts';

/** Exports give way to deliveries and to the database when they want the same core. */
const niceness = 10;

serveTasks<ChunkToRender[], Uint8Array>(
  (chunks) => {
    const result = renderChunks(chunks);
    return { result, transfer: [result.buffer] };
  },
  { niceness },
);
