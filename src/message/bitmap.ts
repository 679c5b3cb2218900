/**
 * Sets of offsets in a chunk, as the database keeps them: bit 0 of byte 0 is offset 0 (the numbering of
 * PostgreSQL's get_bit), and null stands for all offsets. Bits past the chunk's count are zero.
 */
export type Bitmap = Uint8Array;

/** The bitmap of some offsets of a chunk of `count` messages. */
export function bitmapOf(count: number, offsets: Iterable<number>): Bitmap {
  const bitmap = new Uint8Array((count + 7) >> 3);
  for (const offset of offsets) {
    if (offset < 0 || offset >= count) throw new RangeError(`offset ${offset} is not 0..${count - 1}`);
    addToBitmap(bitmap, offset);
  }
  return bitmap;
}

/** True when the bitmap holds the offset; a bitmap that is too short ends in zeros. */
export function inBitmap(bitmap: Bitmap | null, offset: number): boolean {
  return bitmap === null || ((bitmap[offset >> 3] ?? 0) & (1 << (offset & 7))) !== 0;
}

export function addToBitmap(bitmap: Bitmap, offset: number): void {
  bitmap[offset >> 3]! |= 1 << (offset & 7);
}

export function removeFromBitmap(bitmap: Bitmap, offset: number): void {
  bitmap[offset >> 3]! &= ~(1 << (offset & 7));
}

/** Calls `visit` with each offset below `count`, in ascending order. */
export function eachOffset(bitmap: Bitmap | null, count: number, visit: (offset: number) => void): void {
  if (bitmap === null) {
    for (let offset = 0; offset < count; offset++) visit(offset);
    return;
  }
  const bytes = Math.min(bitmap.length, (count + 7) >> 3);
  for (let index = 0; index < bytes; index++) {
    for (let bits = bitmap[index]!; bits !== 0; bits &= bits - 1) {
      const offset = (index << 3) + 31 - Math.clz32(bits & -bits);
      if (offset < count) visit(offset);
    }
  }
}

/** The offsets below `count`, in ascending order. */
export function offsetsOf(bitmap: Bitmap | null, count: number): number[] {
  const offsets: number[] = [];
  eachOffset(bitmap, count, (offset) => offsets.push(offset));
  return offsets;
}

/** How many offsets below `offset` the bitmap holds: where the entry of `offset` lies in a list that follows it. */
export function rankInBitmap(bitmap: Bitmap | null, offset: number): number {
  if (bitmap === null) return offset;
  const whole = Math.min(bitmap.length, offset >> 3);
  let rank = 0;
  for (let index = 0; index < whole; index++) rank += bitsInByte(bitmap[index]!);
  return rank + bitsInByte((bitmap[offset >> 3] ?? 0) & ((1 << (offset & 7)) - 1));
}

/** How many offsets below `count` the bitmap holds. */
export function countInBitmap(bitmap: Bitmap | null, count: number): number {
  return rankInBitmap(bitmap, count);
}

function bitsInByte(byte: number): number {
  const pairs = byte - ((byte >> 1) & 0x55);
  const nibbles = (pairs & 0x33) + ((pairs >> 2) & 0x33);
  return (nibbles + (nibbles >> 4)) & 0x0f;
}
