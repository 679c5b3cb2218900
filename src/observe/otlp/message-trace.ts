import { createHash } from 'node:crypto';

/**
 * The trace of a message is its id, 128 bits as a trace id has: every process agrees on it without being told, and whoever
 * has the one can look for the other.
 */
export function traceIdOf(messageId: string): string {
  return messageId.replaceAll('-', '');
}

/** Of a part of it, such as `accept` or `attempt 1`: spans refer to each other before, or elsewhere than, they are made. */
export function spanIdOf(messageId: string, part: string): string {
  return createHash('sha256').update(`${messageId} ${part}`).digest('hex').slice(0, 16);
}

/** Of a message id, all but the last three digits: they hold its place in the chunk, and two bits more. */
const headLength = 33;

/** Which messages are traced: the same ones in every process. */
export class TraceSampling {
  readonly #singles: number;
  readonly #batches: number;

  /** Parts of 1, of messages that were sent singly and of those of batches. */
  constructor({ singles, batches }: { singles: number; batches: number }) {
    this.#singles = singles * 2 ** 32;
    this.#batches = batches * 2 ** 32;
  }

  isTraced(messageId: string, isOfBatch: boolean): boolean {
    const below = isOfBatch ? this.#batches : this.#singles;
    const place = Number.parseInt(messageId.slice(headLength), 16);
    return scattered(hashOf(messageId.slice(0, headLength)) + place) < below;
  }
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

/** The finalizer of MurmurHash3: neighbours come to lie anywhere in 32 bits. */
function scattered(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
