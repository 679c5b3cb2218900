import { erasedLine } from '../../message/erased-line.ts';
import type { MessageDefaults, MessageFields } from '../../message/fields.ts';
import { messageIds } from '../../message/id.ts';

/** Bytes of a message's id, line object, state and attempts. */
const messageOverhead = 150;

/** What the messages of a loaded chunk are called, and what they say. */
export class ChunkText {
  /** About what it weighs in memory, in bytes. */
  readonly size: number;
  #lines: string[];
  #ids: string[];
  readonly #defaults: [string, unknown][];

  constructor(
    chunk: { id: string; count: number },
    text: { lines: string[]; defaults: MessageDefaults | undefined },
  ) {
    this.size = text.lines.reduce((sum, line) => sum + line.length + messageOverhead, 0);
    this.#lines = text.lines;
    this.#ids = messageIds(chunk.id, chunk.count);
    this.#defaults = Object.entries(text.defaults ?? {});
  }

  idAt(offset: number): string {
    return this.#ids[offset]!;
  }

  /** The message's own fields over those of its batch. Throws when the stored line cannot be read. */
  fieldsAt(offset: number): MessageFields {
    const fields = JSON.parse(this.#lines[offset]!) as MessageFields & Record<string, unknown>;
    // Filling in is half the cost of spreading both into a third object.
    for (const [name, value] of this.#defaults) {
      if (!Object.hasOwn(fields, name)) fields[name] = value;
    }
    return fields;
  }

  erase(offset: number): void {
    if (offset < this.#lines.length) this.#lines[offset] = erasedLine;
  }

  drop(): void {
    this.#lines = [];
    this.#ids = [];
  }
}
