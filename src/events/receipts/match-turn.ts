import type { ReceiptNews } from '../../connectors/connector.ts';
import { uuidV7 } from '../../lib/uuid-v7.ts';
import { lowestIdAt, unixMsOf } from '../../message/id.ts';
import { providerRefHash } from '../../message/provider-ref-hash.ts';
import type { Queryable } from '../../store/database.ts';
import {
  type DueReceipts,
  findProviderRefs,
  findReceiptChunks,
  type Matching,
  type WaitingReceipts,
} from '../../store/events/match-receipts.ts';
import { MatchedGroups, type MessagePlace } from './matched-groups.ts';
import { PlaceReader } from './place-reader.ts';
import { decodeReceipts, forgetful } from './receipt-codec.ts';
import { receiptRows } from './receipt-intake.ts';

/** What was found out about receipts; how those end that are handed to the owners, they count. */
export type MatchResult = 'repeated' | 'early' | 'late' | 'unknown';

/** How soon a message is looked for again that a provider's id names: doubled each time, up to the maximum. */
const againMs = { min: 500, max: 60_000 };
/** Most receipts come within it, and each day has an index of its own to look into. */
const recentMs = 2 * 86_400_000;
const highestId = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

interface Named {
  row: DueReceipts;
  news: ReceiptNews;
}

type Chunks = ReadonlyMap<string, { routeId: number; count: number }>;

/** Finds the messages of the receipts of one transaction. */
export class MatchTurn {
  /** To be told only when the transaction has been committed. */
  readonly counts = new Map<MatchResult, number>();
  /** Of rows that could not be read, the first one. */
  error: unknown;
  readonly #unread: string[] = [];
  readonly #settings: { nowMs: number; firstDayMs: number; waitMs: number };
  readonly #groups = new MatchedGroups();
  /** By route. */
  readonly #unknown = new Map<number, ReceiptNews[]>();
  /** By route and tries: what waits is written together. */
  readonly #waiting = new Map<string, { row: DueReceipts; news: ReceiptNews[] }>();

  constructor(settings: { nowMs: number; firstDayMs: number; waitMs: number }) {
    this.#settings = settings;
  }

  async match(transaction: Queryable, rows: readonly DueReceipts[]): Promise<Matching> {
    const byKey: (Named & { place: MessagePlace })[] = [];
    const ids = new Set<string>();
    const reader = new PlaceReader();
    const byRef: (Named & { hash: bigint })[] = [];
    for (const row of rows) {
      for (const news of this.#read(row)) {
        const place = news.key === undefined ? undefined : reader.read(news.key);
        if (place) {
          byKey.push({ row, news, place });
          ids.add(place.chunkId);
        } else if (news.providerRef === undefined) this.#keepUnknown({ row, news });
        else byRef.push({ row, news, hash: providerRefHash(row.routeId, news.providerRef) });
      }
    }
    const chunks = await findReceiptChunks(transaction, [...ids]);
    for (const named of byKey) this.#placeByKey(named, chunks);
    const places = await this.#findRefs(transaction, byRef);
    for (const named of byRef) this.#placeByRef(named, places.get(refName(named.row.routeId, named.hash)));
    return this.#matching();
  }

  #read(row: DueReceipts): ReceiptNews[] {
    try {
      return decodeReceipts(row);
    } catch (error) {
      this.error ??= error;
      this.#unread.push(row.id);
      return [];
    }
  }

  #placeByKey(named: Named & { place: MessagePlace }, chunks: Chunks): void {
    const { row, place } = named;
    const chunk = chunks.get(place.chunkId);
    if (chunk === undefined && unixMsOf(place.chunkId) < this.#settings.firstDayMs) this.#count('late');
    else if (chunk?.routeId !== row.routeId || place.offset >= chunk.count) this.#keepUnknown(named);
    else this.#add(named, place);
  }

  /** In the days that most are of, then in all others. A provider that uses an id again means the newest message. */
  async #findRefs(
    transaction: Queryable,
    byRef: readonly { row: DueReceipts; hash: bigint }[],
  ): Promise<Map<string, MessagePlace>> {
    const places = new Map<string, MessagePlace>();
    const recent = lowestIdAt(this.#settings.nowMs - recentMs);
    for (const days of [
      { fromId: recent, toId: highestId },
      { fromId: lowestIdAt(0), toId: recent },
    ]) {
      const missing = byRef.filter(({ row, hash }) => !places.has(refName(row.routeId, hash)));
      const hashes = [...new Set(missing.map(({ hash }) => hash))];
      for (const { hash, routeId, ...place } of await findProviderRefs(transaction, { hashes, ...days })) {
        places.set(refName(routeId, hash), place);
      }
    }
    return places;
  }

  #placeByRef(named: Named, place: MessagePlace | undefined): void {
    const { row, news } = named;
    if (place) {
      if (row.tries > 0) this.#count('early');
      this.#add(named, place);
    } else if (row.ageMs >= this.#settings.waitMs) this.#keepUnknown(named);
    else {
      const name = `${row.routeId} ${row.tries}`;
      const waiting = this.#waiting.get(name);
      if (waiting === undefined) this.#waiting.set(name, { row, news: [news] });
      else {
        waiting.news.push(news);
        // None of them gives up before its time.
        if (row.receivedAt > waiting.row.receivedAt) waiting.row = row;
      }
    }
  }

  #add({ row, news }: Named, place: MessagePlace): void {
    if (!this.#groups.add(news, place, row.receivedAt)) this.#count('repeated');
  }

  #keepUnknown({ row, news }: Named): void {
    this.#count('unknown');
    const kept = this.#unknown.get(row.routeId);
    if (kept) kept.push(forgetful(news));
    else this.#unknown.set(row.routeId, [forgetful(news)]);
  }

  #matching(): Matching {
    const { nowMs } = this.#settings;
    const waiting: WaitingReceipts[] = [];
    for (const { row, news } of this.#waiting.values()) {
      const { routeId, receivedAt, tries } = row;
      const dueInMs = Math.min(againMs.min * 2 ** tries, againMs.max);
      for (const stored of receiptRows(routeId, news, nowMs)) {
        waiting.push({ ...stored, receivedAt, tries: tries + 1, dueInMs });
      }
    }
    const unknown = [...this.#unknown].flatMap(([routeId, news]) => receiptRows(routeId, news, nowMs));
    return { matched: this.#groups.take(() => uuidV7(nowMs)), waiting, unknown, unread: this.#unread };
  }

  #count(result: MatchResult): void {
    this.counts.set(result, (this.counts.get(result) ?? 0) + 1);
  }
}

function refName(routeId: number, hash: bigint): string {
  return `${routeId} ${hash}`;
}
