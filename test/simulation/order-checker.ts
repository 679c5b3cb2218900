import { inBitmap } from '../../src/message/bitmap.ts';
import { messageIds } from '../../src/message/id.ts';
import { isFinal } from '../../src/message/state.ts';
import type { ModelDatabase, Session } from './model-database.ts';

/** A chunk of messages with ordering keys, as it was committed. */
export interface OrderedChunk {
  chunkId: string;
  accountId: number;
  place: number;
  /** By offset. */
  keys: readonly number[];
}

interface OrderedMessage {
  id: string;
  place: number;
  /** Those of its account and key, in the order in which they are to leave. */
  sequence: OrderedMessage[];
  /** It has left at least once. */
  sent: boolean;
  /** That it came to its end was recorded; it stays so when the message is replayed, for then it goes for itself. */
  ended: boolean;
  /** Requests to replay it: until one is answered, that it is replayed may not be recorded yet, nor that it had ended. */
  replays: string[];
}

export interface OrderCheckerSettings {
  database: ModelDatabase;
  onDisorder: (detail: string) => void;
}

/** Watches that a message leaves only when it is recorded of all earlier ones of its key that they came to their end. */
export class OrderChecker {
  readonly #database: ModelDatabase;
  readonly #onDisorder: (detail: string) => void;
  readonly #messages = new Map<string, OrderedMessage>();
  readonly #byChunk = new Map<string, OrderedMessage[]>();
  readonly #sequences = new Map<string, OrderedMessage[]>();

  /** After all others that want to be told of commits. */
  constructor({ database, onDisorder }: OrderCheckerSettings) {
    this.#database = database;
    this.#onDisorder = onDisorder;
    const { onCommit } = database;
    database.onCommit = (session) => {
      onCommit(session);
      this.#onCommit(session);
    };
  }

  /** Messages of the key that has the most of them. */
  get longest(): number {
    let longest = 0;
    for (const { length } of this.#sequences.values()) longest = Math.max(longest, length);
    return longest;
  }

  onAccepted({ chunkId, accountId, place, keys }: OrderedChunk): void {
    const messages = messageIds(chunkId, keys.length).map((id, offset) => {
      const name = `${accountId}/${keys[offset]}`;
      const sequence = this.#sequences.get(name) ?? [];
      this.#sequences.set(name, sequence);
      const message: OrderedMessage = { id, place, sequence, sent: false, ended: false, replays: [] };
      const behind = sequence.findIndex((other) => other.place > place);
      sequence.splice(behind < 0 ? sequence.length : behind, 0, message);
      const left = behind < 0 ? undefined : sequence.slice(behind).find(({ sent }) => sent);
      if (left) this.#onDisorder(`${left.id} left before ${id} came, whose place is earlier`);
      this.#messages.set(id, message);
      return message;
    });
    this.#byChunk.set(chunkId, messages);
  }

  onSend(by: string, id: string): void {
    const message = this.#messages.get(id);
    if (message === undefined) return;
    message.sent = true;
    if (message.ended || message.replays.some((request) => this.#database.inbox.has(request))) return;
    for (const earlier of message.sequence) {
      if (earlier === message) return;
      if (earlier.ended) continue;
      this.#onDisorder(`${by} sends ${id}, and it is not recorded that ${earlier.id} has ended`);
      return;
    }
  }

  #onCommit({ writes }: Session): void {
    for (const { outcome, request } of writes) {
      if (request?.kind === 'replay') {
        for (const message of this.#of(request)) message.replays.push(request.id);
      }
      if (outcome !== undefined && isFinal(outcome.state)) {
        for (const message of this.#of(outcome)) message.ended = true;
      }
    }
  }

  #of({ chunkId, offsets }: { chunkId: string; offsets: Uint8Array | null }): OrderedMessage[] {
    const messages = this.#byChunk.get(chunkId) ?? [];
    return messages.filter((_, offset) => inBitmap(offsets, offset));
  }
}
