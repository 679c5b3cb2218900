import { inBitmap, removeFromBitmap } from '../../message/bitmap.ts';
import { WaitingMessages } from './waiting-messages.ts';

/** Which messages of a chunk can be sent, in which order, and which wait for their time. */
export class SendQueue {
  readonly waiting = new WaitingMessages();
  readonly #count: number;
  /** Those that were never due later: null for all of the chunk. They go in order. */
  #first: Uint8Array | null = null;
  #cursor = 0;
  /** Those whose time has come since: they go first, the last of the list before the others. */
  #due: number[] = [];
  /** Those that wait for a window, or could be sent since. */
  readonly #putOff = new Set<number>();

  constructor(count: number) {
    this.#count = count;
  }

  /** Of those that were never due later, only these. */
  begin(first: Uint8Array): void {
    this.#first = first;
  }

  /** Only while there is one. */
  next(): number {
    const due = this.#due.pop();
    if (due !== undefined) {
      if (this.#putOff.size > 0) this.#putOff.delete(due);
      return due;
    }
    while (!inBitmap(this.#first, this.#cursor)) this.#cursor++;
    return this.#cursor++;
  }

  push(...offsets: number[]): void {
    this.#due = [...offsets.reverse(), ...this.#due];
  }

  /** What was taken waits for a window to open. */
  putOff(offset: number, untilMs: number): void {
    this.waiting.add(offset, untilMs);
    this.#putOff.add(offset);
  }

  /** All that were put off can be taken again; the answer is how many. */
  returnPutOff(): number {
    const returned = new Set(this.waiting.offsets().filter((offset) => this.#putOff.has(offset)));
    this.#putOff.clear();
    this.waiting.remove(returned);
    this.push(...returned);
    return returned.size;
  }

  /** Takes messages out of whatever they wait in. */
  withdraw(offsets: ReadonlySet<number>): void {
    this.#due = this.#due.filter((offset) => !offsets.has(offset));
    this.#first ??= new Uint8Array((this.#count + 7) >> 3).fill(0xff);
    for (const offset of offsets) removeFromBitmap(this.#first, offset);
    this.waiting.remove(offsets);
  }
}
