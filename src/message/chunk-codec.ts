import zlib from 'node:zlib';

/**
 * Stored with every chunk: never renumber, only append.
 *
 * Measured on slots of 1,000 lines of 114 bytes, three texts in turn with random numbers, names, codes and
 * references (Node 20, one thread, on a machine with other work), bytes and CPU per line:
 *
 * | raw deflate 1 | brotli 0 | brotli 1 | brotli 2 | brotli 3 |
 * | --- | --- | --- | --- | --- |
 * | 27.1 B, 0.97 µs | 32.4 B, 0.43 µs | 24.5 B, 0.49 µs | 24.4 B, 0.99 µs | 24.0 B, 1.03 µs |
 *
 * so brotli 1 is written. zstd can be read where Node has it (from 22.15 on), and nothing writes it yet: a
 * database must stay readable for every Node that is supported.
 */
export const chunkCodec = { none: 0, deflate: 1, brotli: 2, zstd: 3 } as const;

/**
 * Added to the codec of a chunk whose messages say what they say by templates. A release from before templates would
 * send them without their text: so it takes the chunk for one that it cannot read, and keeps it.
 */
export const templatedChunk = 16;

/**
 * Added to the codec of a chunk whose messages a test key has sent: nobody gets them. A release from before test keys would send them, so it
 * is kept from reading them likewise.
 */
export const testChunk = 32;

/** What is added to a codec, and says nothing of how the payload is encoded. */
export const chunkMarks = templatedChunk | testChunk;

/** The codec of a chunk with such messages. */
export function markedCodec(
  codec: number,
  { templated, test }: { templated: boolean; test: boolean },
): number {
  return codec | (templated ? templatedChunk : 0) | (test ? testChunk : 0);
}

export function isTestChunk(codec: number): boolean {
  return (codec & testChunk) !== 0;
}

/** Bytes of a decoded chunk: a slot's records, grown sixfold by the escapes that CSV may need, and some. */
const decodedBytesMax = 8 * 1_048_576;

/**
 * Below this, what a codec adds and takes is not worth it: one message of 102 bytes came out as 106, and cost 44 µs to write and
 * 36 µs to read; two of them, 205 bytes, as 132.
 */
const compressedBytesMin = 512;
/** One piece of output for a usual slot; Node's default of 16 kB means several allocations and a copy. */
const pieceBytesMax = 65_536;

export interface EncodedChunk {
  codec: number;
  payload: Uint8Array<ArrayBuffer>;
}

/** Compresses a frame: records as JSON, one a line. The payload has an ArrayBuffer of its own. */
export function encodeChunk(frame: Uint8Array): EncodedChunk {
  if (frame.length >= compressedBytesMin) {
    const compressed = zlib.brotliCompressSync(frame, {
      // As large as it may become: 64 kB for each small chunk made V8 collect the whole heap every few seconds.
      chunkSize: Math.min(frame.length, pieceBytesMax),
      params: {
        [zlib.constants.BROTLI_PARAM_QUALITY]: 1,
        [zlib.constants.BROTLI_PARAM_LGWIN]: 18,
        [zlib.constants.BROTLI_PARAM_SIZE_HINT]: frame.length,
      },
    });
    if (compressed.length < frame.length) return { codec: chunkCodec.brotli, payload: ownBytes(compressed) };
  }
  return { codec: chunkCodec.none, payload: ownBytes(frame) };
}

/** @throws ChunkError when the payload is damaged or this Node cannot read its codec */
export function decodeChunk(codec: number, payload: Uint8Array): Uint8Array {
  const options = { maxOutputLength: decodedBytesMax };
  try {
    switch (codec & ~chunkMarks) {
      case chunkCodec.none:
        return payload;
      case chunkCodec.deflate:
        return zlib.inflateRawSync(payload, options);
      case chunkCodec.brotli:
        return zlib.brotliDecompressSync(payload, options);
      case chunkCodec.zstd:
        return zstdDecompress(payload, options);
    }
  } catch (error) {
    if (error instanceof ChunkError) throw error;
    throw new ChunkError(`a chunk of ${payload.length} bytes (codec ${codec}) is damaged`, { cause: error });
  }
  throw new ChunkError(`a chunk has codec ${codec}, which this version does not know; a newer one wrote it`);
}

export class ChunkError extends Error {
  override readonly name = 'ChunkError';
}

/** All records of a frame, by their offset in the chunk. */
export function splitFrame(frame: Uint8Array): string[] {
  return asBuffer(frame).toString().split('\n');
}

/** The record at an offset, without making text of the others. */
export function frameLine(frame: Uint8Array, offset: number): string {
  const bytes = asBuffer(frame);
  let start = 0;
  for (let index = 0; index < offset; index++) {
    start = bytes.indexOf(lineFeed, start) + 1;
    if (start === 0) throw new ChunkError(`a chunk of ${index + 1} messages has none at offset ${offset}`);
  }
  const end = bytes.indexOf(lineFeed, start);
  return bytes.toString('utf8', start, end === -1 ? bytes.length : end);
}

const lineFeed = 0x0a;

/** Absent in Node before 22.15, and in the type definitions of Node 20. */
function zstdDecompress(payload: Uint8Array, options: { maxOutputLength: number }): Uint8Array {
  const decompress = (zlib as { zstdDecompressSync?: typeof zlib.inflateRawSync }).zstdDecompressSync;
  if (decompress === undefined) {
    throw new ChunkError(
      `a chunk is compressed with zstd, which needs Node 22.15; this is ${process.version}`,
    );
  }
  return decompress(payload, options);
}

function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
