import type { Clock } from '../lib/clock.ts';
import { createSemaphore } from '../lib/semaphore.ts';
import { ProblemError } from '../message/error-codes.ts';
import { type Priority, priorityName } from '../message/fields.ts';
import { messageIdAt, shardOf } from '../message/id.ts';
import { limits } from '../message/limits.ts';
import type { Database } from '../store/database.ts';
import type { IdMint } from '../store/id-mint.ts';
import type { Refusal } from '../store/intake/charge.ts';
import type { ChunkRow } from '../store/intake/insert-chunks.ts';
import { type StoredMessages, storeMessages, storeMeteredMessages } from '../store/intake/store-messages.ts';
import type { PendingHint, PendingHints } from './hints.ts';
import type { Backlog } from './load-shedding.ts';
import type { MessageGroup } from './message-group.ts';
import { chunkRow, type OpenChunk, placeIn, rowOnce } from './open-chunk.ts';
import { retryStore } from './retry-store.ts';

/** Told of chunks that became durable in a transaction that began then, on the monotonic clock. */
export type ChunksStored = (
  chunks: readonly Pick<ChunkRow, 'id' | 'accountId' | 'routeId' | 'count'>[],
  at: { batch: string | null; beganAtMs: number },
) => void;

export interface GroupCommitSettings {
  database: Database;
  mint: IdMint;
  clock: Clock;
  /** The database's time, in Unix milliseconds. */
  nowMs: () => number;
  hints: PendingHints;
  /** Whether what is stored for the account is charged to its meter. */
  isMetered: (accountId: number) => boolean;
  onStored: (event: { accountId: number; routeId: number; priority: Priority; count: number }) => void;
  /** Chunks became durable. */
  onChunks?: ChunksStored;
  /** So many messages were not stored because the account may not send them. */
  onRefused: (refusal: Refusal, count: number) => void;
  /** Messages that were committed together waited so long, from the first of them on. */
  onCommitted: (tookMs: number) => void;
}

/** How long a message waits for others to share its commit. A commit of the disk takes about as long. */
const gatherMs = 2;
/** Small commits stay on one shard this long, so that their outcomes can share transactions as well. */
const shardStayMs = 100;
const commitsMax = 4;
/** Of these, for accounts with a meter: they wait for one another's, and must leave room to those that do not. */
const meteredCommitsMax = 2;
/** A statement takes 65,535 parameters, and a chunk ten of them. */
const chunksPerCommitMax = 1_000;
/** Messages, and their bytes, that wait for a commit: beyond them is refused, because the database is behind. */
const waitingMax = 50_000;
const waitingBytesMax = 67_108_864;

/** What became of a group. */
export interface StoredGroup {
  /** Of the messages that are durable, in order: all of them, or the first ones where the account may not send the others. */
  ids: string[];
  /** Why it may not; absent too where an earlier try of the same request was told. */
  refusal?: Refusal;
}

/**
 * Stores small requests, many in one transaction on one shard. A message is durable when its promise
 * resolves. Accounts that have a meter share their transactions with nobody: what one may not send, and a meter that
 * another transaction holds, is no trouble of others.
 */
export class GroupCommit {
  private readonly settings: GroupCommitSettings;
  private readonly commits = createSemaphore(commitsMax);
  private readonly meteredCommits = createSemaphore(meteredCommitsMax);
  /** By shard and, for accounts with a meter, account. */
  private readonly gathering = new Map<string, Gathered>();
  /** What is not committed yet, in the order in which it came. */
  private readonly uncommitted = new Set<Gathered>();
  private readonly running = new Set<Promise<void>>();
  private waiting = 0;
  private waitingBytes = 0;
  /** How often chunks were held together. */
  private held = 0;
  private shard = 0;
  private shardSinceMs = Number.NEGATIVE_INFINITY;

  constructor(settings: GroupCommitSettings) {
    this.settings = settings;
  }

  /** Messages are there that are not committed yet. */
  get isWaitedFor(): boolean {
    return this.waiting > 0;
  }

  get backlog(): Backlog {
    const [oldest] = this.uncommitted;
    return {
      messages: this.waiting,
      part: Math.max(this.waiting / waitingMax, this.waitingBytes / waitingBytesMax),
      oldestMs: oldest ? this.settings.clock.monotonicMs() - oldest.openedAtMs : 0,
    };
  }

  /** The shard on which new small chunks are stored at the moment. */
  currentShard(): number {
    const nowMs = this.settings.clock.monotonicMs();
    if (nowMs - this.shardSinceMs >= shardStayMs) {
      this.shard = Math.floor(Math.random() * limits.shards);
      this.shardSinceMs = nowMs;
    }
    return this.shard;
  }

  /** On the shard of ordering keys, else on the current one. */
  reserveChunkId(shard = this.currentShard()): string {
    return this.settings.mint.mint(shard);
  }

  /**
   * Has chunks with reserved ids of an account, at most 1,000 on one shard, share one commit, if they are stored at once behind
   * this, under the name that it answers. What the account may not send whole is refused whole.
   * @throws ProblemError `unavailable` when there is no room for all of them
   */
  holdTogether(chunks: { shard: number; count: number; messages: number; bytes: number }): string {
    this.requireRoom(chunks);
    const gathered = this.gathering.get(nameOf({ shard: chunks.shard }));
    // It is on its way, and commits without those.
    if (gathered && gathered.chunks.length + chunks.count > chunksPerCommitMax) {
      this.gathering.delete(nameOf({ shard: chunks.shard }));
    }
    return `${++this.held}`;
  }

  /** Resolves when the messages are durable, or refused for good. At most 1,000 messages. */
  async store(group: MessageGroup): Promise<StoredGroup> {
    const bytes = group.lines.reduce((sum, line) => sum + line.length, 0);
    this.requireRoom({ messages: group.lines.length, bytes });
    const shard = group.chunkId ? shardOf(group.chunkId) : (group.ordering?.shard ?? this.currentShard());
    const of: Share = { shard };
    if (!group.test && this.settings.isMetered(group.accountId)) {
      of.metered = group.accountId;
      // Nothing else is refused with them.
      if (group.together !== undefined) of.together = group.together;
    }
    const gathered = this.gathering.get(nameOf(of)) ?? this.open(of);
    const { chunk, offset } = placeIn(gathered, { group, mint: this.settings.mint });
    if (gathered.chunks.length === chunksPerCommitMax) {
      this.gathering.delete(nameOf(of));
      // What follows in the same request must not be committed before.
      if (group.ordering) this.open(of, gathered.committed);
    }
    this.waiting += group.lines.length;
    this.waitingBytes += bytes;
    try {
      const { counts, refusal } = await gathered.committed;
      const stored = Math.max(0, Math.min(group.lines.length, (counts.get(chunk.id) ?? 0) - offset));
      const ids = Array.from({ length: stored }, (_, index) => messageIdAt(chunk.id, offset + index));
      if (stored === group.lines.length || refusal === undefined) return { ids };
      this.settings.onRefused(refusal, group.lines.length - stored);
      return { ids, refusal };
    } finally {
      this.waiting -= group.lines.length;
      this.waitingBytes -= bytes;
    }
  }

  /** Resolves when every commit under way has ended. */
  async settle(): Promise<void> {
    while (this.running.size > 0) await Promise.allSettled(this.running);
  }

  private requireRoom({ messages, bytes }: { messages: number; bytes: number }): void {
    if (this.waiting + messages <= waitingMax && this.waitingBytes + bytes <= waitingBytesMax) return;
    throw new ProblemError('unavailable', 'Too many messages wait for the database.', {
      retryAfterSeconds: 1,
    });
  }

  private open(of: Share, after?: Promise<unknown>): Gathered {
    const openedAtMs = this.settings.clock.monotonicMs();
    const gathered: Gathered = { ...of, openedAtMs, chunks: [], committed: Promise.resolve(nothing) };
    this.gathering.set(nameOf(of), gathered);
    this.uncommitted.add(gathered);
    const committed = after === undefined ? this.commit(gathered) : after.then(() => this.commit(gathered));
    gathered.committed = committed;
    // Those whose messages are in it hear how it ended.
    const tracked = committed
      .then(
        () => {},
        () => {},
      )
      .finally(() => {
        this.uncommitted.delete(gathered);
        this.running.delete(tracked);
      });
    this.running.add(tracked);
    return gathered;
  }

  private async commit(gathered: Gathered): Promise<StoredMessages> {
    const { clock, nowMs, hints, onStored, onCommitted } = this.settings;
    const openedAtMs = clock.monotonicMs();
    await clock.sleep(gatherMs);
    const releaseMetered = gathered.metered === undefined ? undefined : await this.meteredCommits.acquire();
    const release = await this.commits.acquire();
    try {
      const { shard, chunks } = gathered;
      if (this.gathering.get(nameOf(gathered)) === gathered) this.gathering.delete(nameOf(gathered));
      if (chunks.length === 0) return nothing;
      const beganAtMs = clock.monotonicMs();
      const { rows, stored } = await this.write(gathered);
      onCommitted(clock.monotonicMs() - openedAtMs);
      this.settings.onChunks?.(rows, { batch: null, beganAtMs });
      for (const { accountId, routeId, priority, count } of rows) {
        onStored({ accountId, routeId, priority: priorityName(priority), count });
      }
      // What was there may have been delivered since: only reading tells.
      const due = rows.filter(({ id, dueAt }) => stored.fresh.has(id) && isDue(dueAt, nowMs()));
      hints.push(due.map((chunk) => hintOf(chunk, { shard, beganAtMs })));
      return stored;
    } finally {
      release();
      releaseMetered?.();
    }
  }

  /** Answers also the rows as they are stored now. */
  private async write({
    shard,
    metered,
    together,
    chunks,
  }: Gathered): Promise<{ rows: ChunkRow[]; stored: StoredMessages }> {
    const { database, clock } = this.settings;
    if (metered === undefined) {
      const rows = chunks.map((chunk) => chunkRow(chunk));
      return {
        rows,
        stored: await retryStore(() => storeMessages(database, { shard, chunks: rows }), { clock }),
      };
    }
    const whole = together !== undefined;
    const divisible = chunks.map((chunk) => ({
      id: chunk.id,
      parts: chunk.parts,
      first: rowOnce(chunk),
    }));
    const stored = await retryStore(
      () => storeMeteredMessages(database, { shard, accountId: metered, chunks: divisible, whole }),
      { clock },
    );
    const rows = divisible.flatMap(({ id, first }) => {
      const count = stored.counts.get(id);
      return count === undefined ? [] : [first(count)];
    });
    return { rows, stored };
  }
}

/** Whose messages may share a transaction: all of a shard but those of accounts with a meter. */
interface Share {
  shard: number;
  /** The account alone whose messages these are, to be charged for them. */
  metered?: number;
  /** All of them are stored, or none. */
  together?: string;
}

function nameOf({ shard, metered, together }: Share): string {
  if (metered === undefined) return `${shard}`;
  return together === undefined ? `${shard}:${metered}` : `${shard}:${metered}:${together}`;
}

const nothing: StoredMessages = { counts: new Map(), fresh: new Set() };

/** What shares the next commit. */
interface Gathered extends Share {
  openedAtMs: number;
  chunks: OpenChunk[];
  committed: Promise<StoredMessages>;
}

function isDue(dueAt: ChunkRow['dueAt'], nowMs: number): boolean {
  return dueAt === null || (dueAt !== 'infinity' && dueAt.getTime() <= nowMs);
}

function hintOf(chunk: ChunkRow, at: { shard: number; beganAtMs: number }): PendingHint {
  const { id: chunkId, accountId, routeId, priority, count, codec, payload, timed, templates } = chunk;
  const hint = { ...at, chunkId, accountId, routeId, priority, batch: null, count };
  return chunk.ordering ? { ...hint, ordered: true } : { ...hint, codec, payload, timed, templates };
}
