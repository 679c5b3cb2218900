import type { Clock } from '../lib/clock.ts';
import { createSemaphore } from '../lib/semaphore.ts';
import { encodeChunk } from '../message/chunk-codec.ts';
import { ProblemError } from '../message/error-codes.ts';
import { type Priority, priorityName } from '../message/fields.ts';
import { messageIdAt, shardOf } from '../message/id.ts';
import { limits } from '../message/limits.ts';
import { encodeOrdering } from '../message/ordering.ts';
import type { Database } from '../store/database.ts';
import type { IdMint } from '../store/id-mint.ts';
import type { ChunkRow } from '../store/intake/insert-chunks.ts';
import { storeMessages } from '../store/intake/store-messages.ts';
import { bloomLookup } from './bloom-lookup.ts';
import type { PendingHint, PendingHints } from './hints.ts';
import { retryStore } from './retry-store.ts';

/** Messages of one request for one lane. */
export interface MessageGroup {
  accountId: number;
  routeId: number;
  priority: number;
  /** Each a JSON object on one line. */
  lines: Buffer[];
  /** The look-up hashes of each line's recipient, and of its reference or null, in the same order. */
  toHashes: bigint[];
  refHashes: Array<bigint | null>;
  /** Some of them have times of their own. */
  timed: boolean;
  /** When the first of them is to be sent, in Unix milliseconds; null for at once. */
  dueAtMs: number | null;
  /** Where the messages' ordering keys belong, and their hashes, in the same order. */
  ordering?: { shard: number; hashes: number[] };
  /** An id reserved for a chunk of exactly these messages: the request may be sent again. */
  chunkId?: string;
}

export interface GroupCommitSettings {
  database: Database;
  mint: IdMint;
  clock: Clock;
  /** The database's time, in Unix milliseconds. */
  nowMs: () => number;
  hints: PendingHints;
  onStored: (event: { priority: Priority; count: number }) => void;
  /** Messages that were committed together waited so long, from the first of them on. */
  onCommitted: (tookMs: number) => void;
}

/** How long a message waits for others to share its commit. A commit of the disk takes about as long. */
const gatherMs = 2;
/** Small commits stay on one shard this long, so that their outcomes can share transactions as well. */
const shardStayMs = 100;
const commitsMax = 4;
/** A statement takes 65,535 parameters, and a chunk ten of them. */
const chunksPerCommitMax = 1_000;
/** Messages, and their bytes, that wait for a commit: beyond them is refused, because the database is behind. */
const waitingMax = 50_000;
const waitingBytesMax = 67_108_864;

/**
 * Stores small requests, many in one transaction on one shard. A message is durable when its promise
 * resolves.
 */
export class GroupCommit {
  private readonly settings: GroupCommitSettings;
  private readonly commits = createSemaphore(commitsMax);
  private readonly gathering = new Map<number, Gathered>();
  private readonly running = new Set<Promise<void>>();
  private waiting = 0;
  private waitingBytes = 0;
  private shard = 0;
  private shardSinceMs = Number.NEGATIVE_INFINITY;

  constructor(settings: GroupCommitSettings) {
    this.settings = settings;
  }

  /** Messages are there that are not committed yet. */
  get isWaitedFor(): boolean {
    return this.waiting > 0;
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

  /** Resolves to the ids of the messages, in order, when they are durable. At most 1,000 messages. */
  async store(group: MessageGroup): Promise<string[]> {
    const bytes = group.lines.reduce((sum, line) => sum + line.length, 0);
    if (this.waiting + group.lines.length > waitingMax || this.waitingBytes + bytes > waitingBytesMax) {
      throw new ProblemError('unavailable', 'Too many messages wait for the database.', {
        retryAfterSeconds: 1,
      });
    }
    const shard = group.chunkId ? shardOf(group.chunkId) : (group.ordering?.shard ?? this.currentShard());
    const gathered = this.gathering.get(shard) ?? this.open(shard);
    const { chunk, offset } = placeIn(gathered, { group, mint: this.settings.mint });
    if (gathered.chunks.length === chunksPerCommitMax) {
      this.gathering.delete(shard);
      // What follows in the same request must not be committed before.
      if (group.ordering) this.open(shard, gathered.committed);
    }
    this.waiting += group.lines.length;
    this.waitingBytes += bytes;
    try {
      await gathered.committed;
    } finally {
      this.waiting -= group.lines.length;
      this.waitingBytes -= bytes;
    }
    return group.lines.map((_, index) => messageIdAt(chunk.id, offset + index));
  }

  /** Resolves when every commit under way has ended. */
  async settle(): Promise<void> {
    while (this.running.size > 0) await Promise.allSettled(this.running);
  }

  private open(shard: number, after?: Promise<void>): Gathered {
    const gathered: Gathered = { shard, chunks: [], committed: Promise.resolve() };
    this.gathering.set(shard, gathered);
    const committed = after === undefined ? this.commit(gathered) : after.then(() => this.commit(gathered));
    gathered.committed = committed;
    // Those whose messages are in it hear how it ended.
    const tracked = committed
      .catch(() => {})
      .finally(() => {
        this.running.delete(tracked);
      });
    this.running.add(tracked);
    return gathered;
  }

  private async commit(gathered: Gathered): Promise<void> {
    const { database, clock, nowMs, hints, onStored, onCommitted } = this.settings;
    const openedAtMs = clock.monotonicMs();
    await clock.sleep(gatherMs);
    const release = await this.commits.acquire();
    try {
      const { shard } = gathered;
      if (this.gathering.get(shard) === gathered) this.gathering.delete(shard);
      const { chunks: open } = gathered;
      if (open.length === 0) return;
      const chunks = open.map(chunkRow);
      const beganAtMs = clock.monotonicMs();
      const stored = await retryStore(() => storeMessages(database, { shard, chunks }), { clock });
      onCommitted(clock.monotonicMs() - openedAtMs);
      for (const { priority, count } of chunks) onStored({ priority: priorityName(priority), count });
      // What was there may have been delivered since: only reading tells.
      const due = chunks.filter(({ id }, index) => stored.has(id) && (open[index]!.dueAtMs ?? 0) <= nowMs());
      hints.push(due.map((chunk) => hintOf(chunk, { shard, beganAtMs })));
    } finally {
      release();
    }
  }
}

/** What shares the next commit on a shard. */
interface Gathered {
  shard: number;
  chunks: OpenChunk[];
  committed: Promise<void>;
}

interface OpenChunk {
  id: string;
  accountId: number;
  routeId: number;
  priority: number;
  /** Its id was reserved for one request: no other joins. */
  sealed: boolean;
  lines: Buffer[];
  bytes: number;
  toHashes: bigint[];
  refHashes: Array<bigint | null>;
  timed: boolean;
  dueAtMs: number | null;
  /** Of the ordering keys, where the messages have them. */
  hashes: number[] | undefined;
}

function placeIn(
  gathered: Gathered,
  { group, mint }: { group: MessageGroup; mint: IdMint },
): { chunk: OpenChunk; offset: number } {
  const bytes = group.lines.reduce((sum, line) => sum + line.length + 1, 0);
  const fits = (chunk: OpenChunk) =>
    !chunk.sealed &&
    (chunk.hashes !== undefined) === (group.ordering !== undefined) &&
    chunk.accountId === group.accountId &&
    chunk.routeId === group.routeId &&
    chunk.priority === group.priority &&
    // What is due at another time would have the chunk loaded once more.
    chunk.dueAtMs === group.dueAtMs &&
    chunk.lines.length + group.lines.length <= limits.chunkMessagesMax &&
    chunk.bytes + bytes <= limits.slotBytesMax;
  // Messages with ordering keys join the last chunk of their account, or make another behind it.
  const last = (chunk: OpenChunk) => chunk.hashes !== undefined && chunk.accountId === group.accountId;
  let chunk = group.ordering ? gathered.chunks.findLast(last) : gathered.chunks.findLast(fits);
  if (group.chunkId || (chunk && !fits(chunk))) chunk = undefined;
  if (!chunk) {
    chunk = {
      id: group.chunkId ?? mint.mint(gathered.shard),
      accountId: group.accountId,
      routeId: group.routeId,
      priority: group.priority,
      sealed: group.chunkId !== undefined,
      lines: [],
      bytes: 0,
      toHashes: [],
      refHashes: [],
      timed: false,
      dueAtMs: group.dueAtMs,
      hashes: group.ordering && [],
    };
    gathered.chunks.push(chunk);
  }
  const offset = chunk.lines.length;
  chunk.lines.push(...group.lines);
  chunk.bytes += bytes;
  chunk.toHashes.push(...group.toHashes);
  chunk.refHashes.push(...group.refHashes);
  chunk.timed ||= group.timed;
  chunk.hashes?.push(...group.ordering!.hashes);
  return { chunk, offset };
}

function chunkRow(chunk: OpenChunk): ChunkRow {
  const frame = Buffer.concat(
    chunk.lines.flatMap((line, index) => (index === 0 ? [line] : [lineFeed, line])),
  );
  const { codec, payload } = encodeChunk(frame);
  const { id, accountId, routeId, priority, timed } = chunk;
  const dueAt = chunk.dueAtMs === null ? null : new Date(chunk.dueAtMs);
  const count = chunk.lines.length;
  const refHashes = chunk.refHashes.filter((hash) => hash !== null);
  const lookup =
    count < limits.filterMessagesMin
      ? { hashes: [...chunk.toHashes, ...refHashes] }
      : bloomLookup({ toHashes: chunk.toHashes, refHashes });
  const ordering = chunk.hashes && { ordering: encodeOrdering(chunk.hashes) };
  return { id, accountId, routeId, priority, count, codec, payload, timed, dueAt, lookup, ...ordering };
}

function hintOf(chunk: ChunkRow, at: { shard: number; beganAtMs: number }): PendingHint {
  const { id: chunkId, accountId, routeId, priority, count, codec, payload, timed } = chunk;
  const hint = { ...at, chunkId, accountId, routeId, priority, batch: null, count };
  return chunk.ordering ? { ...hint, ordered: true } : { ...hint, codec, payload, timed };
}

const lineFeed = Buffer.from('\n');
