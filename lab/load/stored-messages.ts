import { decodeChunk, splitFrame } from '../../src/message/chunk-codec.ts';
import { messageIdAt } from '../../src/message/id.ts';
import type { NodeWatch } from '../cluster/node-watch.ts';

/** Clocks of this machine and its databases are one; ids may be a little older than their COMMIT. */
const marginMs = 5_000;

/** Every message that is stored since a moment, by its reference, read in SQL past Millrace. */
export async function storedMessages(
  watch: NodeWatch,
  { sinceMs, prefix }: { sinceMs: number; prefix: string },
): Promise<Map<string, string[]>> {
  const chunks = await watch.ask<{ id: string; count: number; codec: number; payload: Buffer }>(
    `SELECT id::text, count, codec, payload FROM chunk WHERE id >= '${firstIdAt(sinceMs - marginMs)}'`,
    'millrace',
  );
  const stored = new Map<string, string[]>();
  for (const { id, count, codec, payload } of chunks) {
    const lines = splitFrame(decodeChunk(codec, payload));
    if (lines.length !== count) throw new Error(`chunk ${id} has ${lines.length} lines, not ${count}`);
    lines.forEach((line, offset) => {
      const { ref } = JSON.parse(line) as { ref?: string };
      if (!ref?.startsWith(`${prefix}-`)) return;
      const ids = stored.get(ref);
      if (ids) ids.push(messageIdAt(id, offset));
      else stored.set(ref, [messageIdAt(id, offset)]);
    });
  }
  return stored;
}

export async function pendingChunks(watch: NodeWatch): Promise<number> {
  const [row] = await watch.ask<{ chunks: number }>(
    'SELECT count(*)::int AS chunks FROM pending',
    'millrace',
  );
  return row!.chunks;
}

function firstIdAt(unixMs: number): string {
  const hex = Math.max(0, Math.floor(unixMs)).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}
