import { isUtf8 } from 'node:buffer';

/** Node's check runs at several GB/s: try many texts at once first, each of them only when it fails. */
export function isValidUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  return isUtf8(bytes.subarray(start, end));
}

export function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
}
