import type { ReceiptNews } from '../../connectors/connector.ts';
import { addToBitmap, type Bitmap, inBitmap, offsetsOf } from '../../message/bitmap.ts';
import { unixMsOf } from '../../message/id.ts';
import { limits } from '../../message/limits.ts';
import { stateNumber } from '../../message/state.ts';
import type { MatchedReceipts } from '../../store/events/match-receipts.ts';

/** Where a message is, and the number of replays that it was sent under. */
export interface MessagePlace {
  chunkId: string;
  offset: number;
  renewal: number;
}

interface Group extends Pick<MatchedReceipts, 'state' | 'renewal' | 'errorCode' | 'receivedAt'> {
  offsets: Bitmap;
  highest: number;
  /** What was said of each message, by offset; null where nothing is. */
  details: Map<number, string> | null;
  atMs: number;
}

const bitmapBytes = (limits.chunkMessagesMax + 7) >> 3;

/** Receipts that were matched, those together that say the same of messages of one chunk: one row for many. */
export class MatchedGroups {
  /** By chunk, which has few of them. */
  readonly #groups = new Map<string, Group[]>();

  /** False when the same was said of the message already. */
  add(news: ReceiptNews, { chunkId, offset, renewal }: MessagePlace, receivedAt: Date): boolean {
    const group = this.#groupOf(news, { chunkId, renewal }, receivedAt);
    if (inBitmap(group.offsets, offset)) return false;
    addToBitmap(group.offsets, offset);
    if (offset > group.highest) group.highest = offset;
    group.details?.set(offset, news.error?.detail ?? '');
    // The provider's clock is none of ours: nothing happens before the message was there, or after it was told.
    const toldMs = receivedAt.getTime();
    const atMs = news.atMs === undefined ? toldMs : Math.min(news.atMs, toldMs);
    if (atMs > group.atMs) group.atMs = atMs;
    return true;
  }

  take(newId: () => string): MatchedReceipts[] {
    return [...this.#groups].flatMap(([chunkId, groups]) =>
      groups.map(({ offsets, highest, details, atMs, ...group }) => ({
        ...group,
        chunkId,
        id: newId(),
        offsets: offsets.subarray(0, (highest >> 3) + 1),
        details:
          details && shared(offsetsOf(offsets, highest + 1).map((offset) => details.get(offset) ?? '')),
        at: new Date(atMs),
      })),
    );
  }

  #groupOf(news: ReceiptNews, of: { chunkId: string; renewal: number }, receivedAt: Date): Group {
    const { chunkId, renewal } = of;
    const state = stateNumber[news.state];
    const errorCode = news.error?.code ?? null;
    let groups = this.#groups.get(chunkId);
    if (groups === undefined) {
      groups = [];
      this.#groups.set(chunkId, groups);
    }
    for (const group of groups) {
      if (group.state === state && group.renewal === renewal && group.errorCode === errorCode) return group;
    }
    const group: Group = {
      ...{ state, renewal, errorCode, receivedAt, highest: -1, atMs: unixMsOf(chunkId) },
      offsets: new Uint8Array(bitmapBytes),
      details: errorCode === null ? null : new Map(),
    };
    groups.push(group);
    return group;
  }
}

/** One stands for all where they are alike. */
function shared(details: string[]): string[] {
  return details.every((detail) => detail === details[0]) ? details.slice(0, 1) : details;
}
