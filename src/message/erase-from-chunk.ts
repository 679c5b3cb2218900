import { bloomFilter } from './bloom.ts';
import { callbackPersons } from './callback-line.ts';
import { chunkMarks, decodeChunk, type EncodedChunk, encodeChunk, splitFrame } from './chunk-codec.ts';
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
  const matches = findInFrame(frame, { kind: 'person', value: to });
  if (matches.length === 0) return undefined;
  const lines = splitFrame(frame);
  for (const { offset } of matches) lines[offset] = erasedLine;
  const encoded = encodeChunk(Buffer.from(lines.join('\n')));
  return {
    codec: encoded.codec | (chunk.codec & chunkMarks),
    payload: encoded.payload,
    offsets: matches.map(({ offset }) => offset),
    lookup: lookupWithout({ lines, gone: matches.map(({ line }) => line), accountId }),
  };
}

function lookupWithout(chunk: { lines: string[]; gone: string[]; accountId: number }): ErasedChunk['lookup'] {
  const { lines, gone, accountId } = chunk;
  // Callbacks are found by filters, however few they are.
  if ([...gone, ...lines].some((line) => line !== erasedLine && callbackPersons(fieldsOf(line)).length > 0)) {
    return filterOf(lines, accountId);
  }
  if (lines.length === 1) return { kind: 'single' };
  if (lines.length < limits.filterMessagesMin) {
    const kept = new Set(lines.flatMap((line) => hashesOf(line, accountId)));
    return {
      kind: 'keys',
      gone: gone.flatMap((line) => hashesOf(line, accountId)).filter((hash) => !kept.has(hash)),
    };
  }
  return filterOf(lines, accountId);
}

function filterOf(lines: readonly string[], accountId: number): ErasedChunk['lookup'] {
  const kept = lines.filter((line) => line !== erasedLine).map(fieldsOf);
  const recipients = kept.flatMap((fields) => [fields.to, ...callbackPersons(fields)]);
  const references = kept.flatMap(({ ref }) => ref ?? []);
  return {
    kind: 'filter',
    toBits: filterOfTexts('to', recipients, accountId),
    refBits: references.length > 0 ? filterOfTexts('ref', references, accountId) : null,
  };
}

function filterOfTexts(
  kind: 'to' | 'ref',
  texts: readonly string[],
  accountId: number,
): Uint8Array<ArrayBuffer> {
  const hashes = new LookupHashes(kind, { accountId, max: texts.length });
  for (const text of texts) addText(hashes, text);
  return bloomFilter(hashes.halves, hashes.count);
}

function fieldsOf(line: string): MessageFields {
  return JSON.parse(line) as MessageFields;
}

function addText(hashes: LookupHashes, text: string): void {
  const bytes = Buffer.from(text);
  hashes.add(bytes, 0, bytes.length);
}

function hashesOf(line: string, accountId: number): bigint[] {
  if (line === erasedLine) return [];
  const { to, ref } = fieldsOf(line);
  const hashes = [lookupHash('to', accountId, to)];
  if (ref !== undefined) hashes.push(lookupHash('ref', accountId, ref));
  return hashes;
}
