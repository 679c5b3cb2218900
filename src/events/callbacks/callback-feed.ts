import type { Route } from '../../message/route.ts';
import type { AccountSigningKey } from '../../message/signing-key.ts';
import { callbackRouteName, type Webhook } from '../../message/webhook.ts';
import type { Database } from '../../store/database.ts';
import { loadBatchDefaults, loadChunks } from '../../store/delivery/load-chunks.ts';
import {
  type CallbackProgress,
  makeCallbackTurn,
  readCallbackTurn,
  shardOfTurn,
} from '../../store/events/callback-turn.ts';
import { readBatchHeads } from '../../store/events/read-batch-heads.ts';
import type { IdMint } from '../../store/id-mint.ts';
import type { ChunkRow } from '../../store/intake/insert-chunks.ts';
import { parseFeedCursor } from '../../store/reading/feed-cursor.ts';
import { type FeedPlace, feedStart } from '../../store/reading/feed-place.ts';
import { findFeedPlace } from '../../store/reading/find-feed-place.ts';
import { type FeedRow, readEvents } from '../../store/reading/read-events.ts';
import { settleFeed } from '../../store/reading/settle-feed.ts';
import type { CallbackPool } from './callback-pool.ts';
import type { EndpointHealth } from './endpoint-health.ts';
import { readFeedTurn } from './feed-turn.ts';
import type { CallbackChunk, CallbackEndpoint, CallbackTask } from './make-callbacks.ts';
import { mayBeReported } from './make-reports.ts';

/** What the feed must know of accounts' endpoints and of routes. */
export interface CallbackControl {
  webhooks(): Iterable<Webhook>;
  /** Of the accounts whose messages may ask for status reports. */
  signingKeys(): Iterable<AccountSigningKey>;
  routes(): Iterable<Route>;
  routeByName(name: string): Route | undefined;
  /** Compares versions, and reads everything again when they differ. */
  runOnce(): Promise<void>;
}

export interface CallbackFeedSettings {
  database: Database;
  control: CallbackControl;
  mint: IdMint;
  pool: CallbackPool;
  health: EndpointHealth;
  onCallbacks?: (count: number) => void;
}

/** Transactions that are read again, at most, after a time without events. */
const idleNumbers = 10_000n;

/** Who may want to be told. */
interface Listeners {
  webhooks: readonly Webhook[];
  signingKeys: readonly AccountSigningKey[];
}

/** Callbacks wait behind every message that somebody waits for. */
const priority = 1;

/**
 * Makes the change feed into callbacks: messages to the endpoints that accounts have registered, and to the URLs that messages want to be
 * reported to, on the route of callbacks. From there they are delivered as all others: owned, fair, paced, retried, to be found and replayed.
 *
 * Every server may run it. A turn is made by whoever comes first, in one transaction with the callbacks that it stores, so each event is
 * told once to each endpoint; nothing is told that could still be undone (the feed ends at its horizon). An account with many events keeps
 * no other waiting (`feed-turn.ts`).
 */
export class CallbackFeed {
  readonly #settings: CallbackFeedSettings;

  constructor(settings: CallbackFeedSettings) {
    this.#settings = settings;
  }

  /** Makes a turn; true when there may be more to tell at once. */
  async runOnce(): Promise<boolean> {
    const { database, control } = this.#settings;
    const listeners = this.#listeners();
    const { webhooks } = listeners;
    const all = [...webhooks, ...listeners.signingKeys];
    const route = control.routeByName(callbackRouteName);
    if (all.length === 0 || route === undefined) return false;
    const last = await readCallbackTurn(database);
    const progress = await this.#progressAfter(last?.progress, all);
    const isWanted = wantedBy(listeners);
    const turn = await readFeedTurn({
      progress,
      accountIds: new Set(all.map(({ accountId }) => accountId)),
      isWanted,
      read: (page) => readEvents(database, { ...page, isWrittenDown: true }),
    });
    // A webhook that was made since may want what was read: its place in the feed tells. One that nobody here knew while
    // the page was read is known now. So it is with keys.
    await control.runOnce();
    const known = this.#listeners();
    if ([...known.webhooks, ...known.signingKeys].some((one) => !all.includes(one))) return true;
    const { rows } = turn;
    const hasMore = rows.length > 0 || turn.progress.apart.size < progress.apart.size;
    // A place that moves without anything to tell is written down now and then.
    if (!hasMore && !hasMoved(progress, turn.progress)) return false;
    const number = (last?.number ?? 0) + 1;
    const told = rows.filter((row) => isWanted(row) && (row.kind === 'batch' || row.routeId !== route.id));
    const { epoch } = progress.front;
    const chunks = await this.#chunksOf(told, { listeners, epoch, number, route });
    const made = await makeCallbackTurn(database, { number, progress: turn.progress, chunks });
    if (made) {
      const count = chunks.reduce((sum, chunk) => sum + chunk.count, 0);
      if (count > 0) this.#settings.onCallbacks?.(count);
      const answered = rows.filter((row) => row.kind === 'messages' && row.routeId === route.id);
      await this.#settings.health.note(answered as (FeedRow & { kind: 'messages' })[], webhooks);
    }
    return hasMore;
  }

  #listeners(): Listeners {
    const { control } = this.#settings;
    return { webhooks: [...control.webhooks()], signingKeys: [...control.signingKeys()] };
  }

  /** Behind the last turn, but not before the oldest webhook or key: what lies between interests nobody. */
  async #progressAfter(
    last: CallbackProgress | undefined,
    all: readonly { begins: string }[],
  ): Promise<CallbackProgress> {
    const { database } = this.#settings;
    const begins = all.map((one) => parseFeedCursor(one.begins)!);
    const first = begins.reduce((least, each) => (each.writtenBy < least.writtenBy ? each : least));
    if (last === undefined) return { front: first, apart: new Map() };
    const front = await presentPlace(database, last.front);
    const apart = new Map<number, FeedPlace>();
    for (const [accountId, place] of last.apart) {
      apart.set(accountId, place.epoch === front.epoch ? place : await presentPlace(database, place));
    }
    const isYoung = first.epoch === front.epoch && first.writtenBy > front.writtenBy;
    return { front: isYoung ? first : front, apart };
  }

  async #chunksOf(
    rows: readonly FeedRow[],
    of: { listeners: Listeners; epoch: string | null; number: number; route: Route },
  ): Promise<ChunkRow[]> {
    const { mint, pool } = this.#settings;
    const endpoints = of.listeners.webhooks
      .filter(({ disabled }) => !disabled)
      .map((webhook) => endpointOf(webhook, of.epoch));
    const reporting = new Set(of.listeners.signingKeys.map(({ accountId }) => accountId));
    if (rows.length === 0) return [];
    const task = await this.#task(rows, { endpoints, reporting });
    const shard = shardOfTurn(of.number);
    return (await pool.make(task)).map((chunk) =>
      chunkRow(chunk, { id: mint.mint(shard), routeId: of.route.id }),
    );
  }

  async #task(
    rows: readonly FeedRow[],
    { endpoints, reporting }: Pick<CallbackTask, 'endpoints' | 'reporting'>,
  ): Promise<CallbackTask> {
    const { database, control } = this.#settings;
    const messages = rows.filter((row) => row.kind === 'messages');
    const ids = [...new Set(messages.map(({ id }) => id))];
    const batches = [...new Set(messages.flatMap(({ batch }) => batch ?? []))];
    const batchRows = rows.filter(({ kind }) => kind === 'batch').map(({ id }) => id);
    const chunks = ids.length === 0 ? [] : await loadChunks(database, { ids });
    const defaults = batches.length === 0 ? [] : await loadBatchDefaults(database, { ids: batches });
    return {
      rows,
      endpoints,
      reporting,
      chunks: new Map(chunks.map(({ id, codec, payload }) => [id, { codec, payload }])),
      defaults: new Map(defaults.map((batch) => [batch.id, batch.defaults])),
      batches: await readBatchHeads(database, batchRows),
      routeNames: new Map([...control.routes()].map(({ id, name }) => [id, name])),
    };
  }
}

/** Where to read on in a database that may have been promoted, or restored, since: rather told again than left out. */
async function presentPlace(database: Database, given: FeedPlace): Promise<FeedPlace> {
  let found = await findFeedPlace(database, given);
  if (found.kind !== 'found') {
    // It counts anew, and nobody has written it down yet.
    await settleFeed(database);
    found = await findFeedPlace(database, given);
  }
  if (found.kind === 'found') return found.place;
  // A turn is kept, restored and lost together with the feed's epochs, so its epoch is known.
  return found.kind === 'ahead' ? found.epochStart : feedStart;
}

/** Some place has moved so far that it is worth to be written down alone. */
function hasMoved(from: CallbackProgress, to: CallbackProgress): boolean {
  const isFar = (place: FeedPlace, before: FeedPlace) => place.writtenBy - before.writtenBy >= idleNumbers;
  if (isFar(to.front, from.front)) return true;
  return [...to.apart].some(([accountId, place]) => isFar(place, from.apart.get(accountId) ?? from.front));
}

/** The messages of an account that only wants reports are not loaded for nothing. */
function wantedBy({ webhooks, signingKeys }: Listeners): (row: FeedRow) => boolean {
  const called = new Set(webhooks.filter(({ disabled }) => !disabled).map(({ accountId }) => accountId));
  const reporting = new Set(signingKeys.map(({ accountId }) => accountId));
  return (row) => called.has(row.accountId) || (reporting.has(row.accountId) && mayBeReported(row));
}

function endpointOf(webhook: Webhook, epoch: string | null): CallbackEndpoint {
  const { accountId, name, events, filter, batchMax } = webhook;
  const begins = parseFeedCursor(webhook.begins)!;
  const beginsAt = begins.epoch === epoch ? begins.writtenBy : null;
  return { accountId, name, events, filter, batchMax, beginsAt };
}

function chunkRow(chunk: CallbackChunk, { id, routeId }: { id: string; routeId: number }): ChunkRow {
  const { accountId, count, codec, payload, toBits, refBits } = chunk;
  const lookup = { toBits, ...(refBits && { refBits }) };
  return { id, accountId, routeId, priority, count, codec, payload, timed: false, dueAt: null, lookup };
}
