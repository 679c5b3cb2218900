import { ChunkError, decodeChunk } from './chunk-codec.ts';
import type { MessageFields } from './fields.ts';

/** What is shown of a message whose stored text cannot be read: that it is so. Its state and its error are told as ever. */
const unreadableLine = '{"to":"","unreadable":true}';

/**
 * The frame of a chunk for whoever looks at it. One that this release cannot read must not hide the others of a page or
 * a search: it stands for as many messages that are unreadable. An export ends in an error instead.
 */
export function frameToShow(chunk: { codec: number; payload: Uint8Array; count: number }): Uint8Array {
  try {
    return decodeChunk(chunk.codec, chunk.payload);
  } catch (error) {
    if (!(error instanceof ChunkError)) throw error;
    return Buffer.from(Array(chunk.count).fill(unreadableLine).join('\n'));
  }
}

/** The fields of a stored line, likewise. */
export function fieldsToShow(line: string): MessageFields {
  try {
    return JSON.parse(line) as MessageFields;
  } catch {
    return JSON.parse(unreadableLine) as MessageFields;
  }
}
