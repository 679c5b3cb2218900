import type { ReceiptNews } from '../connectors/connector.ts';
import { bitmapOf } from '../message/bitmap.ts';
import { unixMsOf } from '../message/id.ts';
import { stateNumber } from '../message/state.ts';
import type { MatchedReceipts } from '../store/events/match-receipts.ts';

/** Where a message is, and the number of replays that it was sent under. */
export interface MessagePlace {
  chunkId: string;
  offset: number;
  renewal: number;
}

interface Group extends Pick<MatchedReceipts, 'chunkId' | 'state' | 'renewal' | 'errorCode' | 'receivedAt'> {
  /** What was said of each message, by offset. */
  details: Map<number, string>;
  atMs: number;
}

/** Receipts that were matched, those together that say the same of messages of one chunk: one row for many. */
export class MatchedGroups {
  readonly #groups = new Map<string, Group>();

  /** False when the same was said of the message already. */
  add(news: ReceiptNews, place: MessagePlace, receivedAt: Date): boolean {
    const { chunkId, offset, renewal } = place;
    const state = stateNumber[news.state];
    const errorCode = news.error?.code ?? null;
    const name = `${chunkId} ${renewal} ${state} ${errorCode ?? ''}`;
    let group = this.#groups.get(name);
    if (group === undefined) {
      const details = new Map<number, string>();
      group = { chunkId, state, renewal, errorCode, details, receivedAt, atMs: Number.NEGATIVE_INFINITY };
      this.#groups.set(name, group);
    }
    if (group.details.has(offset)) return false;
    group.details.set(offset, news.error?.detail ?? '');
    // The provider's clock is none of ours: nothing happens before the message was there, or after it was told.
    const atMs = Math.min(news.atMs ?? Number.POSITIVE_INFINITY, receivedAt.getTime());
    group.atMs = Math.max(group.atMs, atMs, unixMsOf(chunkId));
    return true;
  }

  take(newId: () => string): MatchedReceipts[] {
    return [...this.#groups.values()].map(({ details, atMs, ...group }) => {
      const offsets = [...details.keys()].sort((a, b) => a - b);
      const words = offsets.map((offset) => details.get(offset)!);
      const shared = words.every((detail) => detail === words[0]);
      return {
        ...group,
        id: newId(),
        offsets: bitmapOf(offsets.at(-1)! + 1, offsets),
        details: group.errorCode === null ? null : shared ? [words[0]!] : words,
        at: new Date(atMs),
      };
    });
  }
}
