import { type Bitmap, eachOffset } from '../../message/bitmap.ts';
import { limits } from '../../message/limits.ts';
import type { PendingChunk } from '../backlog/pending-chunk.ts';

/** Where a message stands among those of its key. `loose`: it was replayed, and follows nobody any more. */
const waiting = 0;
const free = 1;
const settled = 2;
const loose = 3;

/** A message in a sequence: the serial number of its chunk there, and its offset, which has ten bits. */
const offsets = 1_024;

/** The place of an unfinished chunk in the sequence of its account and shard. */
export class ChunkOrder {
  readonly chunk: PendingChunk;
  readonly sequence: KeySequence;
  readonly serial: number;
  /** Messages without a final state that may go as far as their keys say. */
  free = 0;
  /** A message may go since the chunk was loaded last. */
  stirred = false;
  /** The chunk is done. It stays while it is a link between others. */
  gone = false;
  /** Messages that came to their end while they waited, and that the one before them still points to. */
  links = 0;
  /** By offset: the key's hash, the next message of that key, and where the message stands. */
  readonly keys: Int32Array;
  readonly next: Float64Array;
  readonly states: Uint8Array;

  constructor(chunk: PendingChunk, place: { sequence: KeySequence; serial: number; keys: Int32Array }) {
    this.chunk = chunk;
    this.sequence = place.sequence;
    this.serial = place.serial;
    this.keys = place.keys;
    this.next = new Float64Array(chunk.count);
    this.states = new Uint8Array(chunk.count).fill(settled);
  }

  /** An earlier message of the key at this offset has not come to its end. */
  isWaiting(offset: number): boolean {
    return this.states[offset] === waiting;
  }

  isSettled(offset: number): boolean {
    return this.states[offset] === settled;
  }

  /** In messages: a chunk is mostly objects, they are a few bytes each. */
  get weight(): number {
    return this.chunk.count + limits.orderedChunkWeight;
  }
}

/** A message that may go now. */
export interface FreedMessage {
  order: ChunkOrder;
  offset: number;
}

/**
 * The unfinished messages with ordering keys of one account on one shard, as far as they have been read: who waits for
 * whom. The messages of one key form a chain in the order in which they were stored; its first one may go, and when that
 * has come to its end the next one may.
 *
 * A message costs 13 bytes, and one of a key that nobody before it has about 40 more.
 */
export class KeySequence {
  readonly accountId: number;
  /** The place of the last chunk that was read. */
  readUpTo = 0;
  /** Chunks may lie behind it. */
  unread = true;
  weight = 0;
  readonly #orders = new Map<number, ChunkOrder>();
  /** By key: the last message of it. */
  readonly #tails = new Map<number, number>();
  #serial = 0;

  constructor(accountId: number) {
    this.accountId = accountId;
  }

  get empty(): boolean {
    return this.#orders.size === 0;
  }

  /** Puts a chunk behind all others. `remaining` are its messages without a final state. */
  add(chunk: PendingChunk, { keys, remaining }: { keys: Int32Array; remaining: Bitmap | null }): ChunkOrder {
    const order = new ChunkOrder(chunk, { sequence: this, serial: ++this.#serial, keys });
    this.#orders.set(order.serial, order);
    this.weight += order.weight;
    eachOffset(remaining, chunk.count, (offset) => {
      const ticket = order.serial * offsets + offset;
      const before = this.#tails.get(keys[offset]!);
      this.#tails.set(keys[offset]!, ticket);
      if (before === undefined) {
        order.states[offset] = free;
        order.free++;
      } else {
        order.states[offset] = waiting;
        this.#orderAt(before).next[before % offsets] = ticket;
      }
    });
    return order;
  }

  /** Messages have come to their end. The answer is who may go for that. */
  settle(order: ChunkOrder, ended: readonly number[]): FreedMessage[] {
    const freed: FreedMessage[] = [];
    for (const offset of ended) {
      const state = order.states[offset];
      if (state === settled) continue;
      order.states[offset] = settled;
      if (state === waiting) {
        order.links++;
        continue;
      }
      order.free--;
      const next = state === free ? this.#advance(order, offset) : undefined;
      if (next) freed.push(next);
    }
    return freed;
  }

  /** A message that had come to its end goes again, for itself: nobody waits for it, and it for nobody. False if it has not. */
  reopen(order: ChunkOrder, offset: number): boolean {
    if (order.states[offset] !== settled) return false;
    order.states[offset] = loose;
    order.free++;
    return true;
  }

  /** The next message of the same key that has not come to its end. */
  followerOf(order: ChunkOrder, offset: number): FreedMessage | undefined {
    if (order.states[offset] === loose) return undefined;
    for (let ticket = order.next[offset]!; ticket !== 0; ) {
      const follower = this.#orderAt(ticket);
      if (follower.states[ticket % offsets] === waiting) return { order: follower, offset: ticket % offsets };
      ticket = follower.next[ticket % offsets]!;
    }
    return undefined;
  }

  /** The chunk is done. */
  remove(order: ChunkOrder): void {
    order.gone = true;
    this.#drop(order);
  }

  /** Lets the next one go after a message that was the first of its key. */
  #advance(order: ChunkOrder, offset: number): FreedMessage | undefined {
    for (let ticket = order.next[offset]!; ticket !== 0; ) {
      const follower = this.#orderAt(ticket);
      const at = ticket % offsets;
      if (follower.states[at] === waiting) {
        follower.states[at] = free;
        follower.free++;
        return { order: follower, offset: at };
      }
      follower.links--;
      this.#drop(follower);
      ticket = follower.next[at]!;
    }
    this.#tails.delete(order.keys[offset]!);
    return undefined;
  }

  #drop(order: ChunkOrder): void {
    if (!order.gone || order.links > 0 || !this.#orders.delete(order.serial)) return;
    this.weight -= order.weight;
  }

  #orderAt(ticket: number): ChunkOrder {
    return this.#orders.get(Math.floor(ticket / offsets))!;
  }
}
