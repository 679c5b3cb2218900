/** Kept for later slots, of all uploads together: as many as are under way at full speed, of the usual size. */
const keptBytesMax = 8 * 1_048_576;
/** Sizes are whole multiples of it, so that the buffers of one slot do for another. */
const unitBytes = 65_536;

/**
 * The buffers that slots are cut into. They are shared with the threads that pack, and used again afterwards: a buffer of 256 KiB made
 * anew for each slot, 100 of them a second, let V8 collect the main thread's whole heap every 0.4 s, which held up
 * single messages.
 */
export class SlotBuffers {
  /** The one that was given last comes last. */
  readonly #free: SharedArrayBuffer[] = [];
  #freeBytes = 0;

  /** So many bytes at least; what they are is left over from another slot. */
  take(bytesMin: number): Buffer<SharedArrayBuffer> {
    const index = this.#smallestOf(bytesMin);
    if (index === -1) return Buffer.from(new SharedArrayBuffer(Math.ceil(bytesMin / unitBytes) * unitBytes));
    return Buffer.from(this.#remove(index));
  }

  /** Nobody reads or writes it any more. Those of sizes that nobody asks for any more make room for it. */
  give(buffer: SharedArrayBuffer): void {
    if (buffer.byteLength > keptBytesMax) return;
    while (this.#freeBytes + buffer.byteLength > keptBytesMax) this.#remove(0);
    this.#free.push(buffer);
    this.#freeBytes += buffer.byteLength;
  }

  /** A larger one is left to those who need it. */
  #smallestOf(bytesMin: number): number {
    let best = -1;
    let bestBytes = Number.POSITIVE_INFINITY;
    for (const [index, { byteLength }] of this.#free.entries()) {
      if (byteLength < bytesMin || byteLength >= bestBytes) continue;
      best = index;
      bestBytes = byteLength;
    }
    return best;
  }

  #remove(index: number): SharedArrayBuffer {
    const [buffer] = this.#free.splice(index, 1) as [SharedArrayBuffer];
    this.#freeBytes -= buffer.byteLength;
    return buffer;
  }
}
