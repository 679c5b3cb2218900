import type { TemplatePins } from '../message/templates/pins.ts';

/** Messages of one request for one lane. */
export interface MessageGroup {
  accountId: number;
  routeId: number;
  priority: number;
  /** A test key has sent them: nobody is charged for them, and nobody gets them. */
  test: boolean;
  /** Each a JSON object on one line. */
  lines: Buffer[];
  /** The SMS parts of each, in the same order. */
  parts: readonly number[];
  /** The look-up hashes of each line's recipient, and of its reference or null, in the same order. */
  toHashes: bigint[];
  refHashes: Array<bigint | null>;
  /** Some of them have times of their own. */
  timed: boolean;
  /** When the first of them is to be sent, in Unix milliseconds; null for at once. */
  dueAtMs: number | null;
  /** What the templates mean that they name; undefined where none does. */
  templates: TemplatePins | undefined;
  /** Where the messages' ordering keys belong, and their hashes, in the same order. */
  ordering?: { shard: number; hashes: number[] };
  /** An id reserved for a chunk of exactly these messages: the request may be sent again. */
  chunkId?: string;
  /** A list of the account that their chunk, which has a reserved id, is to stand in. */
  listKey?: bigint | undefined;
  /** From `holdTogether`: of an account's chunks with this name, all are stored or none. */
  together?: string | undefined;
}
