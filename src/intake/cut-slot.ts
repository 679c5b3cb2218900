import { decodeChunk, splitFrame } from '../message/chunk-codec.ts';
import { type PackedSlot, type PackSettings, packSlot } from './pack-slot.ts';
import type { Rejection } from './rejection.ts';

const lineFeed = 0x0a;

/**
 * What is left of a slot without its lines from `endLine` on, packed again: for an account that may not send all of them. It
 * is judged by what it was judged by before, with `linesOfMessages`: templates may mean something else since. Its messages with
 * ordering keys are left out.
 */
export function cutSlot(packed: PackedSlot, endLine: number, judgedBy: PackSettings): PackedSlot {
  const kept = packed.messageLines!.filter((line) => line < endLine);
  const { bytes, starts, ends } = firstRecords(packed, kept.length);
  const { countParts: _, ...settings } = judgedBy;
  const { times } = settings;
  const left = packSlot(
    {
      format: 'ndjson',
      firstLine: packed.firstLine,
      lines: endLine - packed.firstLine,
      ...{ bytes, starts, ends },
      lineOffsets: Uint32Array.from(kept, (line) => line - packed.firstLine),
      refused: rejectionsOf(packed).filter(({ line }) => line < endLine),
    },
    {
      ...settings,
      // What was taken is taken: time has passed since.
      ...(times && { times: { ...times, latestMs: Number.POSITIVE_INFINITY } }),
      orderingKey: undefined,
    },
  );
  const messageParts = packed.messageParts?.slice(0, kept.length);
  return { ...left, judgedBy, ...(messageParts && { messageParts }) };
}

function firstRecords(
  { codec, payload, count: all }: PackedSlot,
  count: number,
): { bytes: Uint8Array; starts: Uint32Array<ArrayBuffer>; ends: Uint32Array<ArrayBuffer> } {
  const starts = new Uint32Array(count);
  const ends = new Uint32Array(count);
  if (count === 0) return { bytes: new Uint8Array(0), starts, ends };
  const frame = decodeChunk(codec, payload);
  let start = 0;
  for (let index = 0; index < count; index++) {
    const end = index === all - 1 ? frame.length : frame.indexOf(lineFeed, start);
    starts[index] = start;
    ends[index] = end;
    start = end + 1;
  }
  const bytes = new Uint8Array(start);
  bytes.set(frame.subarray(0, start - 1));
  bytes[start - 1] = lineFeed;
  return { bytes, starts, ends };
}

function rejectionsOf({ rejections }: PackedSlot): Rejection[] {
  if (rejections === undefined) return [];
  const lines = splitFrame(decodeChunk(rejections.codec, rejections.payload));
  return lines.map((line) => JSON.parse(line) as Rejection);
}
