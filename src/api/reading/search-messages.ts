import { byWeight } from '../../lib/by-weight.ts';
import type { Clock } from '../../lib/clock.ts';
import { findInFrame } from '../../message/find-in-frame.ts';
import { lowestIdAt, makeChunkId, messageIdAt, unixMsOf } from '../../message/id.ts';
import { limits } from '../../message/limits.ts';
import { lookupHash } from '../../message/lookup-hash.ts';
import { frameToShow } from '../../message/stored-message.ts';
import type { Queryable } from '../../store/database.ts';
import { highestId } from '../../store/reading/id-range.ts';
import { readChunks } from '../../store/reading/read-chunks.ts';
import { type ChunkCandidate, searchChunks } from '../../store/reading/search-chunks.ts';
import { type FoundMessage, headOf } from './read-lines.ts';

export interface MessageSearch {
  accountId: number;
  kind: 'to' | 'ref';
  value: string;
  /** Unix milliseconds: created at or after, and before. */
  sinceMs?: number | undefined;
  untilMs?: number | undefined;
  /** Goes on behind (older than) the message with this id. */
  after?: string | undefined;
  limit: number;
}

export interface SearchResult {
  /** Newest first. */
  found: FoundMessage[];
  next: string | null;
}

const dayMs = 86_400_000;
/**
 * Filters are searched in stretches of time, newest first, each twice as long as the one before: 100,000
 * chunks take some 70 ms, and what is looked for is mostly new.
 */
const firstStretchMs = dayMs;
const stretchesMax = 7;
/** A search that has not filled its page by then answers what it has, and where to go on. */
const budgetMs = 2_000;
const candidatesAtOnce = 256;
/** Weights that cut candidates into reads of some eight large chunks, or many small ones. */
const readMessagesMax = 8_000;
const smallWeight = 32;

/** The messages of an account whose `to` or `ref` is a value. What a filter suggests is checked on the message. */
export async function searchMessages(
  { database, clock }: { database: Queryable; clock: Clock },
  search: MessageSearch,
): Promise<SearchResult> {
  const deadline = clock.monotonicMs() + budgetMs;
  const page = { found: [] as FoundMessage[], next: null as string | null };
  for (const { from, to } of stretches(search, clock.nowMs())) {
    let end = to;
    for (let more = true; more; ) {
      const candidates = await searchChunks(database, {
        ...keyOf(search),
        from,
        to: end,
        limit: candidatesAtOnce,
      });
      if (await takeMatches(database, { search, candidates, page })) return page;
      more = candidates.length === candidatesAtOnce;
      end = candidates.at(-1)?.id ?? from;
      if (clock.monotonicMs() > deadline) return { ...page, next: more ? end : cursorAt(from, search) };
    }
  }
  return page;
}

/** Where a search goes on below a bound between stretches: an id, as the bound itself is none; null at the end. */
function cursorAt(from: string, search: MessageSearch): string | null {
  if (from === lowestIdAt(search.sinceMs ?? 0)) return null;
  return makeChunkId({ unixMs: unixMsOf(from), shard: 0, random: new Uint8Array(8) });
}

/** Adds what the candidates really hold; true when that is more than the page. */
async function takeMatches(
  database: Queryable,
  { search, candidates, page }: { search: MessageSearch; candidates: ChunkCandidate[]; page: SearchResult },
): Promise<boolean> {
  const weight = ({ large }: ChunkCandidate) => (large ? limits.chunkMessagesMax : smallWeight);
  for (const some of byWeight(candidates, { weight, max: readMessagesMax })) {
    const ids = some.map(({ id }) => id).sort();
    const chunks = await readChunks(database, { accountId: search.accountId, ids });
    for (const stored of chunks.reverse()) {
      const chunk = headOf(stored);
      for (const { offset, line } of findInFrame(asBuffer(frameToShow(stored)), search).reverse()) {
        if (search.after !== undefined && messageIdAt(chunk.id, offset) >= search.after) continue;
        if (page.found.length === search.limit) {
          const last = page.found.at(-1)!;
          page.next = messageIdAt(last.chunk.id, last.offset);
          return true;
        }
        page.found.push({ chunk, offset, line });
      }
    }
  }
  return false;
}

/** Ranges of ids, [from, to), newest first, that cover what is searched. */
function* stretches(search: MessageSearch, nowMs: number): Generator<{ from: string; to: string }> {
  const lowest = lowestIdAt(search.sinceMs ?? 0);
  let to = search.after ?? highestId;
  if (search.untilMs !== undefined && lowestIdAt(search.untilMs) < to) to = lowestIdAt(search.untilMs);
  let lengthMs = firstStretchMs;
  let fromMs = nowMs;
  for (let stretch = 1; to > lowest; stretch++) {
    fromMs -= lengthMs;
    lengthMs *= 2;
    const from = stretch === stretchesMax ? lowest : highest(lowest, lowestIdAt(fromMs));
    if (from >= to) continue;
    yield { from, to };
    to = from;
  }
}

function highest(a: string, b: string): string {
  return a > b ? a : b;
}

function keyOf({ accountId, kind, value }: MessageSearch) {
  return { accountId, kind, hash: lookupHash(kind, accountId, value) };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
