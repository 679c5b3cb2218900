import type { Clock } from '../../lib/clock.ts';
import { suppressionHash } from '../../message/suppression.ts';
import {
  type RecentSuppression,
  type SuppressionListRow,
  suppressionDigest,
} from '../../store/delivery/read-suppressions.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import type { SuppressionStore } from '../delivery-store.ts';
import { RecentAdditions } from './recent-additions.ts';

export interface SuppressionsSettings {
  store: SuppressionStore;
  clock: Clock;
  workerId: () => string;
  /** The chunks in memory whose messages may be sent. */
  loaded: () => Iterable<ChunkWork>;
  /** The lists are known, for the first time or since they were forgotten. */
  onKnown: () => void;
}

/** A chunk whose recipients are to be looked up. */
export interface CheckedChunk {
  id: string;
  accountId: number;
  /** By offset; undefined for none that can be told. */
  recipients: readonly (string | undefined)[];
}

/** Chunk ids, and the offsets of those of their messages whose recipients are suppressed. */
export type Suppressed = ReadonlyMap<string, ReadonlySet<number>>;

/** So long what was added is remembered at least. */
const rememberedMs = 30_000;
/** A look-up that took longer is made again: what was added meanwhile may be forgotten by then. */
export const checkMsMax = 20_000;
/** Of one list, in one turn: an import adds some 2,700. Where more was added, and where more lists have changed, all that is in memory is looked up again. */
const additionsReadMax = 5_000;
const listsReadMax = 100;
/** Messages of one look-up. */
const checkMessagesMax = 8_000;

/**
 * Which recipients get nothing. The messages of accounts that have lists are looked up as their chunks are loaded, many in a query: so what was added before a
 * message was stored always holds. What is added later is followed, by the versions of the lists, and holds for what is in memory within a turn. A
 * turn in which nothing was added costs one row. Accounts without a list have no part in any of it: nothing is added to a new
 * list before every worker has said that it knows it (`knowSuppressionLists`).
 */
export class Suppressions {
  readonly #settings: SuppressionsSettings;
  /** By account and channel. */
  #versions = new Map<string, number>();
  readonly #accounts = new Map<number, RecentAdditions>();
  #digest: string | undefined;
  #known = false;
  /** How often what was known has been forgotten. */
  #forgotten = 0;
  /** To whom it was told how many lists are known here. */
  #told: { workerId: string; lists: number } | undefined;

  constructor(settings: SuppressionsSettings) {
    this.#settings = settings;
  }

  /** Before they are, nothing is sent. */
  get known(): boolean {
    return this.#known;
  }

  /** They have been read: what is loaded from now on is looked up where there is a list. */
  get begun(): boolean {
    return this.#digest !== undefined;
  }

  /** The account has a list: what is loaded of it must be looked up. */
  concerns(accountId: number): boolean {
    return this.#accounts.has(accountId);
  }

  /** The lease had run out: lists may have been made meanwhile. What is being read may have been read before. */
  forget(): void {
    this.#known = false;
    this.#forgotten++;
  }

  /** Looks up the recipients of accounts that have lists. */
  async check(chunks: readonly CheckedChunk[]): Promise<Suppressed> {
    const { store, clock } = this.#settings;
    const beganAtMs = clock.monotonicMs();
    const hashed = chunks.map(({ id, accountId, recipients }) => ({
      id,
      hashes: recipients.map((to) => (to === undefined ? undefined : suppressionHash(accountId, to))),
    }));
    const hashes = [...new Set(hashed.flatMap(({ hashes }) => hashes.filter((hash) => hash !== undefined)))];
    const suppressed = new Map<string, ReadonlySet<number>>();
    if (hashes.length === 0) return suppressed;
    const found = new Set(await store.findSuppressed({ hashes }));
    if (clock.monotonicMs() - beganAtMs > checkMsMax) {
      throw new Error('looking up suppressed recipients took too long; it is done again');
    }
    if (found.size === 0) return suppressed;
    for (const { id, hashes } of hashed) {
      const offsets = hashes.flatMap((hash, offset) => (hash !== undefined && found.has(hash) ? offset : []));
      if (offsets.length > 0) suppressed.set(id, new Set(offsets));
    }
    return suppressed;
  }

  /** Whether a message in memory must not be sent. */
  isSuppressed(work: ChunkWork, offset: number, to: string): boolean {
    const { accountId } = work.chunk.lane.key;
    const recent = this.#accounts.get(accountId);
    if (recent === undefined) return false;
    if (work.suppressed?.has(offset)) return true;
    if (recent.newestMs < work.checkedAtMs) return false;
    const hash = suppressionHash(accountId, to);
    return hash !== undefined && recent.has(hash, work.checkedAtMs);
  }

  async runOnce(): Promise<void> {
    const forgotten = this.#forgotten;
    const { store } = this.#settings;
    if ((await store.readSuppressionDigest()) !== this.#digest) await this.#read();
    if (!(await this.#tell())) return;
    if (!this.#known && forgotten === this.#forgotten) {
      this.#known = true;
      this.#settings.onKnown();
    }
    await this.#recheck();
  }

  async #read(): Promise<void> {
    const { store, clock } = this.#settings;
    const lists = await store.readSuppressionLists();
    // Before the first time nothing is loaded that could have missed anything.
    const changed = this.begun ? lists.filter((list) => list.version > this.#versionOf(list)) : [];
    const added = await this.#readAdded(changed);
    const nowMs = clock.monotonicMs();
    this.#digest = suppressionDigest(lists);
    for (const { accountId } of lists) {
      if (!this.#accounts.has(accountId)) this.#accounts.set(accountId, new RecentAdditions());
    }
    for (const list of changed) {
      const recent = this.#accounts.get(list.accountId)!;
      const hashes = added?.get(listName(list)) ?? [];
      if (added === undefined || hashes.length >= additionsReadMax) recent.addMany(nowMs);
      else recent.add(hashes, nowMs);
    }
    this.#versions = new Map(lists.map((list) => [listName(list), list.version]));
  }

  /** What was added to lists since they were read, by the names of the lists; undefined where these are too many. */
  async #readAdded(changed: readonly SuppressionListRow[]): Promise<Map<string, string[]> | undefined> {
    const added = new Map<string, string[]>();
    if (changed.length === 0) return added;
    if (changed.length > listsReadMax) return undefined;
    const lists = changed.map((list) => ({ ...list, version: this.#versionOf(list) }));
    const rows = await this.#settings.store.readRecentSuppressions({ lists, limit: additionsReadMax });
    for (const row of rows) {
      const hashes = added.get(listName(row));
      if (hashes) hashes.push(row.hash);
      else added.set(listName(row), [row.hash]);
    }
    return added;
  }

  #versionOf(list: SuppressionListRow): number {
    return this.#versions.get(listName(list)) ?? 0;
  }

  /** Says how many lists are known here. False while that is not so, or the worker has no lease. */
  async #tell(): Promise<boolean> {
    const workerId = this.#settings.workerId();
    const lists = this.#versions.size;
    if (this.#known && this.#told?.workerId === workerId && this.#told.lists === lists) return true;
    if (!(await this.#settings.store.knowSuppressionLists({ workerId, lists }))) return false;
    this.#told = { workerId, lists };
    return true;
  }

  /** Looks up again what was looked up before more was added than can be remembered, or for longer. */
  async #recheck(): Promise<void> {
    const oldMs = this.#settings.clock.monotonicMs() - rememberedMs;
    const due = new Map([...this.#accounts].map(([accountId, recent]) => [accountId, recent.dueMs(oldMs)]));
    let works: ChunkWork[] = [];
    let messages = 0;
    for (const work of [...this.#settings.loaded()]) {
      const { lane, count } = work.chunk;
      if (work.checkedAtMs > (due.get(lane.key.accountId) ?? Number.NEGATIVE_INFINITY)) continue;
      works.push(work);
      messages += count;
      if (messages < checkMessagesMax) continue;
      await this.#lookUp(works);
      works = [];
      messages = 0;
    }
    if (works.length > 0) await this.#lookUp(works);
    for (const recent of this.#accounts.values()) recent.forget(oldMs);
  }

  async #lookUp(works: readonly ChunkWork[]): Promise<void> {
    const checkedAtMs = this.#settings.clock.monotonicMs();
    const suppressed = await this.check(
      works.map((work) => ({
        id: work.chunk.id,
        accountId: work.chunk.lane.key.accountId,
        recipients: work.recipients(),
      })),
    );
    for (const work of works) work.noteChecked(checkedAtMs, suppressed.get(work.chunk.id));
  }
}

function listName({ accountId, channel }: Pick<RecentSuppression, 'accountId' | 'channel'>): string {
  return `${accountId}/${channel}`;
}
