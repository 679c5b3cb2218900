import { parseProviderKey } from '../../message/fold-outcomes.ts';
import { chunkIdOf, parseId } from '../../message/id.ts';
import type { MessagePlace } from './matched-groups.ts';

const idLength = 36;
/** Of an id, all but what tells the messages of a chunk apart. */
const headLength = 33;

/**
 * Where the messages are that keys name. Receipts of one chunk mostly come together: what was found out about the key
 * before is not found out again, which makes it three times as fast.
 */
export class PlaceReader {
  #head = '';
  #chunkTail = -1;
  #chunkId = '';

  /** Undefined for a text that is no key of ours. */
  read(key: string): MessagePlace | undefined {
    if (key.length === idLength && key.startsWith(this.#head) && this.#head !== '') {
      const tail = hexOf(key);
      if (tail >= 0 && (tail & 0xc00) === this.#chunkTail) {
        return { chunkId: this.#chunkId, offset: tail & 0x3ff, renewal: 0 };
      }
    }
    const parsed = parseProviderKey(key);
    if (parsed === undefined) return undefined;
    this.#head = key.slice(0, headLength);
    this.#chunkTail = Number.parseInt(key.slice(headLength, idLength), 16) & 0xc00;
    this.#chunkId = chunkIdOf(parsed.id);
    return { chunkId: this.#chunkId, offset: parseId(parsed.id).offset, renewal: parsed.renewals };
  }
}

/** The last three digits of an id, or -1. */
function hexOf(id: string): number {
  let value = 0;
  for (let place = headLength; place < idLength; place++) {
    const code = id.charCodeAt(place);
    const digit =
      code >= 0x30 && code <= 0x39 ? code - 0x30 : code >= 0x61 && code <= 0x66 ? code - 0x57 : -1;
    if (digit < 0) return -1;
    value = (value << 4) | digit;
  }
  return value;
}
