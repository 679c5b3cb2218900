import type { Clock } from '../lib/clock.ts';
import { createSemaphore } from '../lib/semaphore.ts';
import { type Account, countsParts, isMetered } from '../message/account.ts';
import type { RefusedBy } from '../message/allowance.ts';
import { ProblemError } from '../message/error-codes.ts';
import type { Channel } from '../message/fields.ts';
import { limits } from '../message/limits.ts';
import type { Route } from '../message/route.ts';
import type { TemplateVersion } from '../message/templates/compile-template.ts';
import type { AccountTemplates } from '../message/templates/template.ts';
import type { LoadedTemplate } from '../message/templates/templated-text.ts';
import type { Database } from '../store/database.ts';
import type { IdMint } from '../store/id-mint.ts';
import { closeBatch } from '../store/intake/close-batch.ts';
import type { AcceptedCounts } from './accepted-counts.ts';
import { type BatchKey, BatchUploads } from './batch-uploads.ts';
import { countRenderedSlot } from './count-rendered.ts';
import { defaultCountry } from './default-country.ts';
import { type ChunksStored, GroupCommit } from './group-commit.ts';
import type { PendingHints } from './hints.ts';
import { LoadShedding } from './load-shedding.ts';
import { openPackPool } from './pack-pool.ts';
import type { RawSlot } from './raw-slot.ts';
import { retryStore } from './retry-store.ts';
import { SlotBuffers } from './slot-buffers.ts';
import type { BatchTemplate } from './template-check.ts';
import { UploadBrake } from './upload-brake.ts';

/** What takes submissions in. */
export interface Intake {
  uploads: BatchUploads;
  groupCommit: GroupCommit;
  shedding: LoadShedding;
  /** Whether the SMS that an account's messages take are counted. */
  countsParts(accountId: number): boolean;
  newBatchId(): string;
  /**
   * Ends the uploads to a batch and closes it; its deliveries begin if they waited for that. Closing it again changes
   * nothing, and a batch that the account does not have is left alone.
   */
  closeBatch(key: BatchKey): Promise<void>;
  /** No schedule may lie beyond, in Unix milliseconds. */
  latestScheduleMs(): number;
  /** Ends uploads and waits for commits under way. */
  stop(): Promise<void>;
}

/** The accounts, routes and templates that are known here, and a look at those that are not. */
interface IntakeControl {
  accountById(id: number): Account | undefined;
  routeById(id: number): Route | undefined;
  templatesOf(accountId: number): AccountTemplates;
  templates: { load(ids: readonly number[]): Promise<ReadonlyMap<number, LoadedTemplate>> };
  lookAgain(): Promise<boolean>;
}

export interface IntakeSettings {
  database: Database;
  clock: Clock;
  mint: IdMint;
  /** The database's time, in Unix milliseconds. */
  nowMs: () => number;
  /** Of the database, as many as it may open. */
  connections: number;
  /** How long messages are kept: nothing can be scheduled beyond. */
  retentionDays: number;
  control: IntakeControl;
  hints: PendingHints;
  metrics: IntakeMetrics;
  /** What was taken in, by account and route, for those who watch. */
  accepted?: AcceptedCounts;
  /** Is told of chunks that became durable. */
  onChunks?: ChunksStored;
  /** Told of faults that end no upload. */
  onError?: (error: unknown) => void;
}

/** The figures that intake reports. */
export interface IntakeMetrics {
  messagesAccepted(event: { priority: 'interactive' | 'bulk'; route: string; count: number }): void;
  linesRejected(count: number): void;
  intakeRefused(event: { reason: RefusedBy | 'overloaded'; count: number }): void;
  readUploadPace(read: () => number | undefined): void;
  readIntakeBacklog(read: () => { messages: number; oldestMs: number }): void;
}

/** Slots on their way through the threads, of all uploads: beyond them uploads wait, and TCP holds senders back. */
const packsMax = 32;
/** Connections that uploads leave to single messages, where there are more. */
const singleConnections = 4;
/** Notes of how far uploads are, at once: a thousand of them would take all connections, each second. */
const checkpointsMax = 1;
const dayMs = 86_400_000;

export function createIntake(settings: IntakeSettings): Intake {
  const { database, clock, mint, nowMs, control, hints, metrics } = settings;
  const metered = (accountId: number) => {
    const account = control.accountById(accountId);
    return account !== undefined && isMetered(account);
  };
  const partsCounted = (accountId: number) => {
    const account = control.accountById(accountId);
    return account !== undefined && countsParts(account);
  };
  const nameOfRoute = (id: number) => control.routeById(id)?.name ?? `route ${id}`;
  const scheduleAheadMs = settings.retentionDays * dayMs;
  const buffers = new SlotBuffers();
  const packPool = openPackPool({ buffers });
  const packing = createSemaphore(packsMax);
  const brake = new UploadBrake({ clock, singlesWait: () => groupCommit.isWaitedFor });
  metrics.readUploadPace(() => brake.slotsPerSecond);
  const shedding = new LoadShedding({
    backlog: () => groupCommit.backlog,
    onRefused: (count) => metrics.intakeRefused({ reason: 'overloaded', count }),
  });
  const uploads = new BatchUploads({
    database,
    clock,
    mint,
    stores: createSemaphore(Math.max(1, settings.connections - singleConnections)),
    checkpoints: createSemaphore(checkpointsMax),
    buffers,
    async pack(slot, { signal, ...packSettings }) {
      await brake.turn(partOfSlot(slot), signal);
      return await packing.run(async () => {
        const packed = await packPool.pack(slot, packSettings);
        const load = (ids: readonly number[]) =>
          retryStore(() => control.templates.load(ids), { clock, signal });
        return await countRenderedSlot(packed, { settings: packSettings, pool: packPool, load });
      });
    },
    hints,
    nowMs,
    scheduleAheadMs,
    ...(settings.onError && { onError: settings.onError }),
    ...(settings.onChunks && { onChunks: settings.onChunks }),
    channelOf: (routeId) => channelOf(control, routeId),
    countryOf: (accountId) => defaultCountry(control, accountId),
    shedding,
    isMetered: metered,
    countsParts: partsCounted,
    onRefused: ({ by }) => metrics.intakeRefused({ reason: by, count: 1 }),
    templates: {
      of: (accountId) => control.templatesOf(accountId),
      ofBatch: (template) => batchTemplate(control, template),
      lookAgain: () => control.lookAgain(),
    },
    onStored(event) {
      const { priority, routeId, accepted, rejected } = event;
      metrics.messagesAccepted({ priority, route: nameOfRoute(routeId), count: accepted });
      settings.accepted?.note(event, accepted);
      metrics.linesRejected(rejected);
    },
  });
  const groupCommit = new GroupCommit({
    database,
    clock,
    mint,
    nowMs,
    hints,
    isMetered: metered,
    onStored(event) {
      const { priority, routeId, count } = event;
      metrics.messagesAccepted({ priority, route: nameOfRoute(routeId), count });
      settings.accepted?.note(event, count);
    },
    onRefused: ({ by: reason }, count) => metrics.intakeRefused({ reason, count }),
    onCommitted: (tookMs) => brake.noteCommit(tookMs),
    ...(settings.onChunks && { onChunks: settings.onChunks }),
  });
  metrics.readIntakeBacklog(() => groupCommit.backlog);
  return {
    uploads,
    groupCommit,
    shedding,
    countsParts: partsCounted,
    newBatchId: () => mint.mint(Math.floor(Math.random() * limits.shards)),
    async closeBatch(key) {
      await uploads.end(key);
      const closed = await closeBatch(database, key);
      if (closed?.released) hints.released(key.batch);
    },
    latestScheduleMs: () => nowMs() + scheduleAheadMs,
    async stop() {
      await uploads.stop();
      await groupCommit.settle();
      await packPool.close();
    },
  };
}

/**
 * Another server may have made the route, and the batch, a moment ago.
 * @throws ProblemError `unavailable` while the route cannot be found: no line can be judged without its channel
 */
async function channelOf(control: IntakeControl, routeId: number): Promise<Channel | undefined> {
  if (!control.routeById(routeId)) await control.lookAgain();
  const route = control.routeById(routeId);
  if (route) return route.channel;
  throw new ProblemError('unavailable', 'This server does not know the route of the batch yet.', {
    retryAfterSeconds: 1,
  });
}

/** Versions are never removed: one that is not there cannot be compiled by this release. */
async function batchTemplate(
  { templates }: IntakeControl,
  { name, pin }: { name: string; pin: number },
): Promise<{ template: BatchTemplate; version: TemplateVersion }> {
  const loaded = (await templates.load([pin])).get(pin);
  if (loaded) return { template: { name, needs: loaded.needs }, version: loaded.source };
  throw new ProblemError('unavailable', 'This server cannot read the template of the batch.', {
    retryAfterSeconds: 1,
  });
}

/** How full it is, from 0 to 1. */
function partOfSlot({ bytes, starts }: RawSlot): number {
  return Math.max(starts.length / limits.chunkMessagesMax, bytes.length / limits.slotBytesMax);
}
