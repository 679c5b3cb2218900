import type { Clock } from '../lib/clock.ts';
import { createSemaphore } from '../lib/semaphore.ts';
import type { Account } from '../message/account.ts';
import { limits } from '../message/limits.ts';
import type { Route } from '../message/route.ts';
import type { Database } from '../store/database.ts';
import type { IdMint } from '../store/id-mint.ts';
import { BatchUploads } from './batch-uploads.ts';
import { GroupCommit } from './group-commit.ts';
import type { PendingHints } from './hints.ts';
import { openPackPool } from './pack-pool.ts';

/** What takes submissions in. */
export interface Intake {
  uploads: BatchUploads;
  groupCommit: GroupCommit;
  newBatchId(): string;
  /** Chunks have become due otherwise than by being stored. */
  reread(): void;
  /** Ends uploads and waits for commits under way. */
  stop(): Promise<void>;
}

export interface IntakeSettings {
  database: Database;
  clock: Clock;
  mint: IdMint;
  control: { routeById(id: number): Route | undefined; accountById(id: number): Account | undefined };
  hints: PendingHints;
  metrics: IntakeMetrics;
}

/** The figures that intake reports. */
export interface IntakeMetrics {
  messagesAccepted(event: { priority: 'interactive' | 'bulk'; count: number }): void;
  linesRejected(count: number): void;
}

/** Slots on their way through the threads, of all uploads: beyond them uploads wait, and TCP holds senders back. */
const packsMax = 32;

export function createIntake(settings: IntakeSettings): Intake {
  const { database, clock, mint, control, hints, metrics } = settings;
  const packPool = openPackPool();
  const packing = createSemaphore(packsMax);
  const uploads = new BatchUploads({
    database,
    clock,
    mint,
    pack: (slot, packSettings) => packing.run(() => packPool.pack(slot, packSettings)),
    hints,
    channelOf: (routeId) => control.routeById(routeId)?.channel,
    onStored(event) {
      metrics.messagesAccepted({ priority: event.priority, count: event.accepted });
      metrics.linesRejected(event.rejected);
    },
  });
  const groupCommit = new GroupCommit({
    database,
    clock,
    mint,
    hints,
    onStored: (event) => metrics.messagesAccepted(event),
  });
  return {
    uploads,
    groupCommit,
    newBatchId: () => mint.mint(Math.floor(Math.random() * limits.shards)),
    reread: () => hints.reread(),
    async stop() {
      await uploads.stop();
      await groupCommit.settle();
      await packPool.close();
    },
  };
}
