import { setMaxListeners } from 'node:events';
import type { Connector } from '../connectors/connector.ts';
import type { Clock } from '../lib/clock.ts';
import { unixMsOf } from '../message/id.ts';
import { limits } from '../message/limits.ts';
import type { BatchDone } from '../observe/log-batch.ts';
import { Backlog } from './backlog/backlog.ts';
import type { Hint } from './backlog/hint.ts';
import { PendingReader } from './backlog/pending-reader.ts';
import { ChunkFlow } from './chunks/chunk-flow.ts';
import { ChunkLoader } from './chunks/chunk-loader.ts';
import { Decisions } from './decisions/decisions.ts';
import { Holding } from './decisions/holding.ts';
import { Receipts } from './decisions/receipts.ts';
import type { DeliveryControl } from './delivery-control.ts';
import type { DeliveryStore } from './delivery-store.ts';
import { Loop } from './loop.ts';
import { noDeliveries } from './observe/delivery-counts.ts';
import type { DeliveryObserver } from './observe/delivery-observer.ts';
import { type DeliveryStats, deliveryStats } from './observe/delivery-stats.ts';
import { OrderedChunks } from './ordering/ordered-chunks.ts';
import { BatchFinisher } from './outcomes/batch-finisher.ts';
import { BatchRecounter } from './outcomes/batch-recounter.ts';
import { OutcomeBuffer } from './outcomes/outcome-buffer.ts';
import { Ownership } from './ownership/ownership.ts';
import type { Tenure } from './ownership/tenure.ts';
import { Courtesy } from './pace/courtesy.ts';
import { RouteRunners } from './sending/route-runners.ts';
import type { RouteBreakerChange } from './sending/route-watch.ts';
import { workerRouteContext } from './sending/worker-route-context.ts';
import { leadingShard, WorkerShares } from './shares/worker-shares.ts';
import { Suppressions } from './suppressions/suppressions.ts';
import { WorkerWindows } from './windows/worker-windows.ts';
import { loopEveryMs, WorkerLoops } from './worker-loops.ts';

export interface DeliveryWorkerSettings {
  store: DeliveryStore;
  control: DeliveryControl;
  connectors: ReadonlyMap<string, Connector>;
  clock: Clock;
  onError: (error: unknown) => void;
  onBreaker?: (change: RouteBreakerChange) => void;
  /** A batch is done. */
  onBatch?: (batch: BatchDone) => void;
  /** How long this worker may be silent before others take its shards; 5,000 ms. */
  leaseMs?: number;
  /** How long an outcome may wait to be recorded together with others; 40 ms. */
  flushEveryMs?: number;
  /** Shards recorded at the same time; 4. The database's pool needs two connections more. */
  flushesMax?: number;
  /** Is told what happens to messages. */
  observer?: DeliveryObserver;
  /** Shards of the installation, which a simulation may have fewer of; 1,024. */
  shards?: number;
  /** How busy the thread was since it was asked last, from 0 to 1; where it is not told, callbacks give way to nothing. */
  business?: () => number;
  random?: () => number;
  newWorkerId?: () => string;
}

const leaseMsDefault = 5_000;
const flushEveryMsDefault = 40;
const flushesMaxDefault = 4;
/** For closing there is so much time at least. */
const closeMsMin = 20;
/** Of the time to stop, what is left for recording when requests are cut off. */
const recordShare = 0.3;

/**
 * One worker: owns shards, finds their pending chunks, sends their messages as routes and fairness allow, and
 * records what became of them. Everything below it is a part with one task; this ties them together.
 */
export class DeliveryWorker {
  readonly #settings: DeliveryWorkerSettings;
  readonly #ownership: Ownership;
  readonly #backlog: Backlog;
  readonly #ordered: OrderedChunks;
  readonly #reader: PendingReader;
  readonly #loader: ChunkLoader;
  readonly #outcomes: OutcomeBuffer;
  readonly #finisher: BatchFinisher;
  readonly #recounter: BatchRecounter;
  readonly #holding: Holding;
  readonly #flow: ChunkFlow;
  readonly #windows: WorkerWindows;
  readonly #decisions: Decisions;
  readonly #receipts: Receipts;
  readonly #suppressions: Suppressions;
  readonly #shares: WorkerShares;
  readonly #runners: RouteRunners;
  readonly #courtesy: Courtesy;
  readonly #counts = noDeliveries();
  readonly #aborting = new AbortController();
  readonly #loops: WorkerLoops;
  /** The database's clock less the monotonic one. */
  #databaseAheadMs: number;
  #stopping = false;
  #stopped: Promise<void> | undefined;
  #unfollow: (() => void) | undefined;

  constructor(settings: DeliveryWorkerSettings) {
    this.#settings = settings;
    const { store, clock, control, onError } = settings;
    this.#loops = new WorkerLoops({ clock, onError });
    // Each route's sender listens.
    setMaxListeners(0, this.#aborting.signal);
    this.#databaseAheadMs = clock.nowMs() - clock.monotonicMs();
    const { business = () => 0 } = settings;
    this.#courtesy = new Courtesy({ business, nowMs: clock.monotonicMs() });
    this.#ownership = new Ownership({
      store,
      clock,
      leaseMs: settings.leaseMs ?? leaseMsDefault,
      shards: settings.shards ?? limits.shards,
      ...(settings.random && { random: settings.random }),
      ...(settings.newWorkerId && { newWorkerId: settings.newWorkerId }),
      onClaimed: (tenures) => this.#onClaimed(tenures),
      onLost: (tenures) => this.#onLost(tenures),
      onBeat: (beat) => this.#onBeat(beat),
    });
    this.#windows = new WorkerWindows({
      ...{ clock, control },
      tenures: () => this.#ownership.tenures,
      databaseNowMs: (ms) => ms + this.#databaseAheadMs,
      onClosed: (ids) => this.#holding.noteClosed(ids),
      hold: (chunk) => this.#holding.hold(chunk, 'paused'),
      forget: (chunk) => this.#backlog.forget(chunk),
      reread: () => {
        this.#reader.readAllSoon();
        this.#loops.wake('reading');
      },
      onReady: (work, messages) => this.#flow.onReady(work, messages),
      onRecorded: (work, messages) => this.#flow.onRecorded(work, messages),
    });
    this.#finisher = new BatchFinisher(store, ({ id, counts }) => {
      const durationMs = clock.monotonicMs() + this.#databaseAheadMs - unixMsOf(id);
      settings.onBatch?.({ batchId: id, counts: { ...counts }, durationMs });
    });
    this.#recounter = new BatchRecounter(store);
    this.#backlog = new Backlog({
      clock,
      tenures: () => this.#ownership.tenures,
      weightOf: (accountId) => control.accountById(accountId)?.weight ?? 1,
      onDue: (lane) => this.#loader.want(lane),
      retriesOf: (lane) => this.#runners.of(lane),
      onMissed: () => this.#reader.readAllSoon(),
      onWoken: (chunk, messages) => this.#flow.offer(chunk.work!, messages),
      isDueAnew: (row) => this.#windows.isDueAnew(row),
      heldAs: (batch) => this.#holding.heldAs(batch),
      onCanceled: (chunk) => this.#decisions.cancel(chunk),
      ordered: () => this.#ordered,
    });
    this.#ordered = new OrderedChunks({
      store,
      clock,
      backlog: this.#backlog,
      tenures: () => this.#ownership.tenures,
      heldAs: (batch) => this.#holding.heldAs(batch),
      onCanceled: (chunk) => this.#decisions.cancel(chunk),
      onMissed: () => this.#reader.readAllSoon(),
      onReady: (work) => this.#flow.onReady(work, 1),
      onIdle: (work) => this.#outcomes.add(work, 0),
      onError,
    });
    this.#suppressions = new Suppressions({
      store,
      clock,
      workerId: () => this.#ownership.workerId,
      loaded: () => this.#loader.loaded(),
      onKnown: () => this.#resume(),
    });
    this.#reader = new PendingReader({
      store,
      clock,
      backlog: this.#backlog,
      heldShards: () => this.#ownership.heldShards(),
    });
    this.#loader = new ChunkLoader({
      store,
      clock,
      databaseNowMs: (ms) => ms + this.#databaseAheadMs,
      readyWanted: (lane) => (this.#suppressions.begun ? this.#runners.of(lane).readyWanted(lane) : 0),
      suppressions: this.#suppressions,
      isStuck: (lane) => this.#runners.of(lane).isStuck(lane),
      isClosed: (lane) => this.#runners.isClosed(lane),
      onCrowded: (work) => this.#outcomes.add(work, 0),
      dropStored: (chunk) => this.#backlog.dropStored(chunk),
      onInterrupted: (routeId) => control.routeById(routeId)?.onUncertain ?? 'hold',
      onLoaded: (work) => this.#flow.onLoaded(work),
      onError,
    });
    this.#outcomes = new OutcomeBuffer({
      ...{ store, clock },
      databaseNowMs: (ms) => ms + this.#databaseAheadMs,
      flushEveryMs: settings.flushEveryMs ?? flushEveryMsDefault,
      flushesMax: settings.flushesMax ?? flushesMaxDefault,
      keepsRefs: (routeId) => control.routeById(routeId)?.receiptsBy === 'providerRef',
      onRecorded: (outcomes) => settings.observer?.recorded(outcomes),
      onRest: (rest) => this.#flow.onRest(rest),
      onSettled: (work, offsets) => this.#ordered.noteRecorded(work, offsets),
      onFenced: (tenure) => this.#ownership.lose(tenure),
      onRefused: (tenure) => {
        this.#ownership.retire(tenure);
        this.#release(tenure);
        this.#resume();
      },
      onRoom: () => this.#runners.pump(),
      onError,
    });
    const deciding = {
      ...{ store, clock, backlog: this.#backlog, loader: this.#loader, outcomes: this.#outcomes },
      counts: this.#counts,
      tenures: () => this.#ownership.tenures,
      databaseNowMs: (ms: number) => ms + this.#databaseAheadMs,
      onForgotten: () => this.#reader.readAllSoon(),
    };
    this.#decisions = new Decisions({
      ...deciding,
      onReady: (work, messages) => this.#flow.onReady(work, messages),
      onReplayed: (batch) => this.#holding.batches.noteReplayed(batch),
    });
    this.#receipts = new Receipts(deciding);
    this.#holding = new Holding({
      ...{ store, clock, windows: this.#windows, backlog: this.#backlog },
      ...{ decisions: this.#decisions, outcomes: this.#outcomes },
      tenures: () => this.#ownership.tenures,
      reread: () => this.#reader.readAllSoon(),
      onKnown: () => this.#runners.pump(),
    });
    const context = workerRouteContext({
      ...{ ...settings, ownership: this.#ownership, outcomes: this.#outcomes, holding: this.#holding },
      ...{ suppressions: this.#suppressions, windows: this.#windows, loader: this.#loader },
      ...{ courtesy: this.#courtesy, counts: this.#counts, signal: this.#aborting.signal },
      isStopping: () => this.#stopping,
      databaseNowMs: (ms) => ms + this.#databaseAheadMs,
      accountPace: (accountId, nowMs) => this.#shares.accountPace(accountId, nowMs),
      shareOf: (key) => this.#shares.shareOf(key),
      onRecorded: (work, messages) => this.#flow.onRecorded(work, messages),
      onRouteOpened: () => this.#wantAll(),
    });
    this.#runners = new RouteRunners({ control, context });
    this.#flow = new ChunkFlow({
      ...{ clock, backlog: this.#backlog, ordered: this.#ordered, windows: this.#windows },
      ...{ holding: this.#holding, decisions: this.#decisions, outcomes: this.#outcomes },
      ...{ runners: this.#runners, loader: this.#loader, counts: this.#counts },
      onFinished: (batch) => this.#finisher.name(batch),
      onForgotten: (batch) => this.#reader.noteForgotten(batch),
    });
    this.#shares = new WorkerShares({
      ...{ store, clock, control },
      ownership: this.#ownership,
      runners: this.#runners,
      lanes: () => this.#backlog.lanes,
      onChange: () => this.#onControlChange(),
    });
  }

  /** Returns at once; shards are claimed and messages sent from now on. */
  start(): void {
    if (this.#stopping || this.#unfollow) return;
    this.#unfollow = this.#settings.control.onChange(() => this.#onControlChange());
    this.#loops.start({
      reading: () => this.#reader.runOnce(),
      owning: () => this.#ownership.runOnce(),
      holding: () => this.#holding.batches.runOnce(),
      suppressing: () => this.#suppressions.runOnce(),
      deciding: () => this.#decisions.runOnce(),
      receiving: () => this.#receipts.runOnce(),
      opening: () => this.#windows.runOnce(),
      sharing: () => this.#shares.runOnce(),
      ordering: () => this.#ordered.runOnce(),
      forgetting: () => this.#backlog.forgetLeft(),
      tidying: () => this.#tidyAside(),
      counting: () => this.#countBatches(),
    });
  }

  /** Word of chunks that this process has just committed. */
  hint(hints: readonly Hint[]): void {
    for (const hint of hints) this.#backlog.takeHint(hint);
  }

  /** Word of a batch that waited for its closing, and begins. */
  released(batch: string): void {
    this.#reader.noteReleased(batch);
  }

  /**
   * Begins no send any more, lets those on their way end, records them, and hands every shard over as soon as
   * it is at rest. What has not ended in time is cut off. May be called twice.
   */
  stop({ deadlineMs }: { deadlineMs: number }): Promise<void> {
    this.#stopped ??= this.#stop(deadlineMs);
    return this.#stopped;
  }

  /** Messages by lane that have come to their end and whose chunk, being in memory, still counts them as pending. */
  settled(): Map<string, number> {
    return this.#loader.settled();
  }

  heldShards(): number[] {
    return this.#ownership.heldShards();
  }

  stats(): DeliveryStats {
    const worker = {
      ...{ ownership: this.#ownership, backlog: this.#backlog, runners: this.#runners },
      ...{ loader: this.#loader, outcomes: this.#outcomes, courtesy: this.#courtesy, counts: this.#counts },
    };
    const nowMs = this.#settings.clock.monotonicMs();
    return deliveryStats(worker, { nowMs, databaseAheadMs: this.#databaseAheadMs });
  }

  async #stop(deadlineMs: number): Promise<void> {
    const { clock, onError } = this.#settings;
    const endMs = clock.monotonicMs() + deadlineMs;
    this.#stopping = true;
    this.#unfollow?.();
    this.#ownership.leaveAll();
    await Promise.race([this.#loops.stop(), clock.sleep(deadlineMs)]);
    this.#backlog.close();
    const leaving = new Loop({
      ...{ everyMs: loopEveryMs.sharing, clock, onError },
      runOnce: () => this.#shares.leave(),
    });
    await this.#ownership.handOver({ endMs: endMs - deadlineMs * recordShare, onError });
    this.#aborting.abort(new Error('the worker stops'));
    await this.#ownership.handOver({ endMs, onError });
    const left = Math.max(endMs - clock.monotonicMs(), closeMsMin);
    await Promise.race([leaving.stop(), clock.sleep(left)]);
    const closing = Promise.allSettled([this.#runners.close(), this.#ownership.close()]);
    await Promise.race([closing, clock.sleep(left)]).catch(onError);
  }

  async #countBatches(): Promise<void> {
    const shards = this.#ownership.heldShards();
    await this.#finisher.runOnce(shards);
    await this.#recounter.runOnce(shards);
  }

  #onClaimed(tenures: readonly Tenure[]): void {
    this.#holding.batches.noteClaimed();
    this.#loops.wake('holding');
    this.#reader.noteClaimed(tenures);
    this.#loops.wake('reading');
    // The first to own a shard is the one that divides; nothing is sent before that.
    if (tenures.some(({ shard }) => shard === leadingShard))
      this.#shares.runOnce().catch(this.#settings.onError);
  }

  #onLost(tenures: readonly Tenure[]): void {
    for (const tenure of tenures) {
      this.#outcomes.drop(tenure);
      this.#release(tenure);
    }
    this.#backlog.drop(tenures);
  }

  /** Nothing more of it is sent: its messages take no room in memory from others. */
  #release(tenure: Tenure): void {
    for (const chunk of tenure.chunks.values()) if (chunk.work) this.#loader.release(chunk.work);
  }

  #onBeat({ databaseNowMs, lapsed }: { databaseNowMs: number; lapsed: boolean }): void {
    this.#databaseAheadMs = databaseNowMs - this.#settings.clock.monotonicMs();
    if (lapsed) {
      this.#holding.batches.forget();
      this.#loops.wake('holding');
      this.#suppressions.forget();
      this.#loops.wake('suppressing');
    }
    this.#shares.noteWorkerId();
    // Sends stop when a lease runs out, and go on when it is renewed.
    this.#runners.pump();
  }

  #onControlChange(): void {
    this.#shares.change();
    this.#backlog.refreshWeights();
    this.#windows.onControlChange();
    this.#resume();
  }

  #tidyAside(): void {
    this.#runners.endExpired();
    this.#loader.unloadClosed();
    this.#loader.returnDisplaced();
  }

  /** Lanes that could not load, and routes that could not send, may be able to now. */
  #resume(): void {
    this.#wantAll();
    this.#runners.pump();
  }

  #wantAll(): void {
    for (const lane of this.#backlog.lanes) this.#loader.want(lane);
  }
}
