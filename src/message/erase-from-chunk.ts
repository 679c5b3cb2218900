import { bloomFilter } from './bloom.ts';
import { decodeChunk, type EncodedChunk, encodeChunk, splitFrame, templatedChunk } from './chunk-codec.ts';
import { erasedLine } from './erased-line.ts';
import type { MessageFields } from './fields.ts';
import { findInFrame } from './find-in-frame.ts';
import { limits } from './limits.ts';
import { LookupHashes, lookupHash } from './lookup-hash.ts';

export interface ErasedChunk extends EncodedChunk {
  /** Of the messages that were erased, in ascending order. */
  offsets: number[];
  /** How the others are found, in the form in which a chunk of so many messages keeps it. */
  lookup:
    | { kind: 'filter'; toBits: Uint8Array; refBits: Uint8Array | null }
    /** Hashes that no message of the chunk has any more. */
    | { kind: 'keys'; gone: bigint[] }
    | { kind: 'single' };
}

/**
 * The chunk without what it holds of one recipient; undefined when it holds nothing. The other messages keep
 * their places, byte for byte.
 */
export function eraseFromChunk(
  chunk: EncodedChunk,
  { accountId, to }: { accountId: number; to: string },
): ErasedChunk | undefined {
  const frame = Buffer.from(decodeChunk(chunk.codec, chunk.payload));
  const matches = findInFrame(frame, { kind: 'to', value: to });
  if (matches.length === 0) return undefined;
  const lines = splitFrame(frame);
  for (const { offset } of matches) lines[offset] = erasedLine;
  const encoded = encodeChunk(Buffer.from(lines.join('\n')));
  return {
    codec: encoded.codec | (chunk.codec & templatedChunk),
    payload: encoded.payload,
    offsets: matches.map(({ offset }) => offset),
    lookup: lookupWithout({ lines, gone: matches.map(({ line }) => line), accountId }),
  };
}

function lookupWithout(chunk: { lines: string[]; gone: string[]; accountId: number }): ErasedChunk['lookup'] {
  const { lines, gone, accountId } = chunk;
  if (lines.length === 1) return { kind: 'single' };
  if (lines.length < limits.filterMessagesMin) {
    const kept = new Set(lines.flatMap((line) => hashesOf(line, accountId)));
    return {
      kind: 'keys',
      gone: gone.flatMap((line) => hashesOf(line, accountId)).filter((hash) => !kept.has(hash)),
    };
  }
  const toHashes = new LookupHashes('to', { accountId, max: lines.length });
  const refHashes = new LookupHashes('ref', { accountId, max: lines.length });
  for (const line of lines) {
    if (line === erasedLine) continue;
    const { to, ref } = JSON.parse(line) as MessageFields;
    addText(toHashes, to);
    if (ref !== undefined) addText(refHashes, ref);
  }
  return {
    kind: 'filter',
    toBits: bloomFilter(toHashes.halves, toHashes.count),
    refBits: refHashes.count > 0 ? bloomFilter(refHashes.halves, refHashes.count) : null,
  };
}

function addText(hashes: LookupHashes, text: string): void {
  const bytes = Buffer.from(text);
  hashes.add(bytes, 0, bytes.length);
}

function hashesOf(line: string, accountId: number): bigint[] {
  if (line === erasedLine) return [];
  const { to, ref } = JSON.parse(line) as MessageFields;
  const hashes = [lookupHash('to', accountId, to)];
  if (ref !== undefined) hashes.push(lookupHash('ref', accountId, ref));
  return hashes;
}
