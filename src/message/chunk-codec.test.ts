import { randomBytes } from 'node:crypto';
import zlib from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChunkError, chunkCodec, decodeChunk, encodeChunk, frameLine, splitFrame } from './chunk-codec.ts';

test('a frame comes back as it was encoded', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3_000 }), fc.integer({ min: 1, max: 50 }), (bytes, times) => {
      const frame = Buffer.concat(Array.from({ length: times }, () => bytes));
      const { codec, payload } = encodeChunk(frame);
      expect(payload.buffer.byteLength).toBe(payload.length);
      expect(Buffer.from(decodeChunk(codec, payload)).equals(frame)).toBe(true);
    }),
  );
});

test('what does not shrink is stored as it is', () => {
  expect(encodeChunk(randomBytes(1_000)).codec).toBe(chunkCodec.none);
});

test('chunks of every codec can be read', () => {
  const text = Buffer.from('{"to":"+31612345678"}\n'.repeat(100));
  expect(decodeChunk(chunkCodec.none, text)).toEqual(text);
  expect(decodeChunk(chunkCodec.deflate, zlib.deflateRawSync(text))).toEqual(text);
  expect(decodeChunk(chunkCodec.brotli, zlib.brotliCompressSync(text))).toEqual(text);
  const compress = (zlib as { zstdCompressSync?: (bytes: Uint8Array) => Buffer }).zstdCompressSync;
  if (compress === undefined) {
    expect(() => decodeChunk(chunkCodec.zstd, text)).toThrow('needs Node 22.15');
  } else {
    expect(decodeChunk(chunkCodec.zstd, compress(text))).toEqual(text);
  }
});

test('a damaged chunk and an unknown codec are told apart', () => {
  const { codec, payload } = encodeChunk(Buffer.from('{"to":"+31612345678"}\n'.repeat(100)));
  expect(() => decodeChunk(codec, payload.subarray(0, payload.length - 5))).toThrow(ChunkError);
  expect(() => decodeChunk(codec, Buffer.alloc(200, 0xff))).toThrow('is damaged');
  expect(() => decodeChunk(9, payload)).toThrow('a newer one wrote it');
});

test('a chunk that would unpack to more than any slot is refused', () => {
  const bomb = zlib.brotliCompressSync(Buffer.alloc(9 * 1_048_576));
  expect(() => decodeChunk(chunkCodec.brotli, bomb)).toThrow(ChunkError);
});

test('a line of a frame is the same alone and among all', () => {
  const lines = fc.array(
    fc.json().map((text) => text.replaceAll('\n', ' ')),
    { minLength: 1, maxLength: 50 },
  );
  fc.assert(
    fc.property(lines, (texts) => {
      const frame = Buffer.from(texts.join('\n'));
      expect(splitFrame(frame)).toEqual(texts);
      texts.forEach((text, offset) => {
        expect(frameLine(frame, offset)).toBe(text);
      });
      expect(() => frameLine(frame, texts.length)).toThrow(ChunkError);
    }),
  );
});
