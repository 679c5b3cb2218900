import { setMaxListeners } from 'node:events';
import type { Connector } from '../connectors/connector.ts';
import type { Clock } from '../lib/clock.ts';
import { unixMsOf } from '../message/id.ts';
import { limits } from '../message/limits.ts';
import type { BatchDone } from '../observe/log-batch.ts';
import { Backlog } from './backlog/backlog.ts';
import type { Hint } from './backlog/hint.ts';
import type { PendingChunk } from './backlog/pending-chunk.ts';
import { PendingReader } from './backlog/pending-reader.ts';
import { mayLeaveMemory } from './chunks/at-rest.ts';
import { ChunkLoader } from './chunks/chunk-loader.ts';
import type { ChunkWork } from './chunks/chunk-work.ts';
import { Decisions } from './decisions/decisions.ts';
import { type HeldAs, HeldBatches } from './decisions/held-batches.ts';
import { holdChunk } from './decisions/hold-chunk.ts';
import { Receipts } from './decisions/receipts.ts';
import type { DeliveryControl } from './delivery-control.ts';
import type { DeliveryStore } from './delivery-store.ts';
import { Loop } from './loop.ts';
import { noDeliveries } from './observe/delivery-counts.ts';
import type { DeliveryObserver } from './observe/delivery-observer.ts';
import type { DeliveryStats, LaneStats } from './observe/delivery-stats.ts';
import { OrderedChunks } from './ordering/ordered-chunks.ts';
import { BatchFinisher } from './outcomes/batch-finisher.ts';
import { BatchRecounter } from './outcomes/batch-recounter.ts';
import type { FlushRest } from './outcomes/flush-of.ts';
import { OutcomeBuffer } from './outcomes/outcome-buffer.ts';
import { Ownership } from './ownership/ownership.ts';
import type { Tenure } from './ownership/tenure.ts';
import { Courtesy } from './pace/courtesy.ts';
import { endpointOf } from './sending/endpoint-of.ts';
import type { RouteContext } from './sending/route-context.ts';
import { RouteRunners } from './sending/route-runners.ts';
import type { RouteBreakerChange } from './sending/route-watch.ts';
import { leadingShard, WorkerShares } from './shares/worker-shares.ts';
import { Suppressions } from './suppressions/suppressions.ts';
import { WorkerWindows } from './windows/worker-windows.ts';

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
/** How often ownership looks around: a shard handed over is idle for two such turns at most. */
const ownershipEveryMs = 200;
const readEveryMs = 250;
/** A pause, a cancellation and a decision take effect within a second: these, and what is under way. */
const holdEveryMs = 250;
const decideEveryMs = 250;
const windowsEveryMs = 100;
const suppressEveryMs = 250;
const sharesEveryMs = 250;
const tidyEveryMs = 1_000;
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
  readonly #held: HeldBatches;
  readonly #windows: WorkerWindows;
  readonly #decisions: Decisions;
  readonly #receipts: Receipts;
  readonly #suppressions: Suppressions;
  readonly #shares: WorkerShares;
  readonly #runners: RouteRunners;
  readonly #courtesy: Courtesy;
  readonly #counts = noDeliveries();
  readonly #aborting = new AbortController();
  /** The database's clock less the monotonic one. */
  #databaseAheadMs: number;
  #loops: Loop[] = [];
  /** Reads what is new, and what newly claimed shards hold. */
  #reading: Loop | undefined;
  #holding: Loop | undefined;
  #suppressing: Loop | undefined;
  #stopping = false;
  #stopped: Promise<void> | undefined;
  #unfollow: (() => void) | undefined;

  constructor(settings: DeliveryWorkerSettings) {
    this.#settings = settings;
    const { store, clock, control, onError } = settings;
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
      onClosed: (ids) => this.#onHeld(new Map([...ids].map((id) => [id, this.#heldAs(id) ?? 'paused']))),
      hold: (chunk) => this.#hold(chunk, 'paused'),
      forget: (chunk) => this.#backlog.forget(chunk),
      reread: () => {
        this.#reader.readAllSoon();
        this.#reading?.wake();
      },
      onReady: (work, messages) => this.#onReady(work, messages),
      onRecorded: (work, messages) => this.#onRecorded(work, messages),
    });
    this.#runners = new RouteRunners({ control, context: this.#routeContext() });
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
      onWoken: (chunk, messages) => this.#offer(chunk.work!, messages),
      isDueAnew: (routeId, beganAtMs) => this.#windows.isDueAnew(routeId, beganAtMs),
      heldAs: (batch) => this.#heldAs(batch),
      onCanceled: (chunk) => this.#decisions.cancel(chunk),
      ordered: () => this.#ordered,
    });
    this.#ordered = new OrderedChunks({
      store,
      clock,
      backlog: this.#backlog,
      tenures: () => this.#ownership.tenures,
      heldAs: (batch) => this.#heldAs(batch),
      onCanceled: (chunk) => this.#decisions.cancel(chunk),
      onReady: (work) => this.#onReady(work, 1),
      onIdle: (work) => this.#outcomes.add(work, 0),
      onError,
    });
    this.#shares = new WorkerShares({
      ...{ store, clock, control },
      ownership: this.#ownership,
      runners: this.#runners,
      lanes: () => this.#backlog.lanes,
      onChange: () => this.#onControlChange(),
    });
    this.#held = new HeldBatches({
      store,
      clock,
      onHeld: (batches) => this.#onHeld(batches),
      onReleased: () => this.#reader.readAllSoon(),
      onKnown: () => this.#runners.pump(),
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
      onLoaded: (work) => this.#onLoaded(work),
      onError,
    });
    this.#outcomes = new OutcomeBuffer({
      ...{ store, clock },
      databaseNowMs: (ms) => ms + this.#databaseAheadMs,
      flushEveryMs: settings.flushEveryMs ?? flushEveryMsDefault,
      flushesMax: settings.flushesMax ?? flushesMaxDefault,
      keepsRefs: (routeId) => control.routeById(routeId)?.receiptsBy === 'providerRef',
      onRecorded: (outcomes) => settings.observer?.recorded(outcomes),
      onRest: (rest) => this.#onRest(rest),
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
      onReady: (work, messages) => this.#onReady(work, messages),
      onReplayed: (batch) => this.#held.noteReplayed(batch),
    });
    this.#receipts = new Receipts(deciding);
  }

  /** Returns at once; shards are claimed and messages sent from now on. */
  start(): void {
    if (this.#stopping || this.#loops.length > 0) return;
    const { clock, onError } = this.#settings;
    this.#unfollow = this.#settings.control.onChange(() => this.#onControlChange());
    const loop = (everyMs: number, runOnce: () => unknown) => new Loop({ everyMs, clock, onError, runOnce });
    this.#reading = loop(readEveryMs, () => this.#reader.runOnce());
    const owning = loop(ownershipEveryMs, () => this.#ownership.runOnce());
    // Early, as nothing is sent before it is known what is held.
    this.#holding = loop(holdEveryMs, () => this.#held.runOnce());
    this.#suppressing = loop(suppressEveryMs, () => this.#suppressions.runOnce());
    this.#loops = [
      owning,
      this.#holding,
      this.#suppressing,
      loop(decideEveryMs, () => this.#decisions.runOnce()),
      loop(decideEveryMs, () => this.#receipts.runOnce()),
      loop(windowsEveryMs, () => this.#windows.runOnce()),
      loop(sharesEveryMs, () => this.#shares.runOnce()),
      this.#reading,
      loop(readEveryMs, () => this.#ordered.runOnce()),
      loop(tidyEveryMs, () => this.#backlog.forgetLeft()),
      loop(tidyEveryMs, () => this.#tidyAside()),
      loop(tidyEveryMs, () => this.#countBatches()),
    ];
  }

  /** Word of chunks that this process has just committed. */
  hint(hints: readonly Hint[]): void {
    for (const hint of hints) this.#backlog.takeHint(hint);
  }

  /** Pending chunks have become due otherwise than by their time: everything is read again soon. */
  reread(): void {
    this.#reader.readAllSoon();
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
    const lanes: LaneStats[] = [];
    for (const lane of this.#backlog.lanes) {
      const { key, chunks, overflown, ready, handed } = lane;
      const aside = lane.aside + lane.displaced.messages;
      const { lastError, ...stats } = this.#runners.of(lane).stats(lane);
      const error = lastError && { ...lastError, atMs: lastError.atMs + this.#databaseAheadMs };
      lanes.push({ ...key, chunks, overflown, ready, aside, handed, ...stats, lastError: error });
    }
    return {
      workerId: this.#ownership.workerId,
      shards: this.#ownership.tenures.size,
      inFlight: this.#runners.inFlight,
      unrecorded: this.#outcomes.unrecorded,
      loadedChunks: this.#loader.loadedChunks,
      loadedBytes: this.#loader.loadedBytes,
      callbacksGiveWay: this.#courtesy.givesWay(this.#settings.clock.monotonicMs()),
      counts: { ...this.#counts },
      lanes,
      routes: [...this.#runners.states()],
    };
  }

  async #stop(deadlineMs: number): Promise<void> {
    const { clock, onError } = this.#settings;
    const endMs = clock.monotonicMs() + deadlineMs;
    this.#stopping = true;
    this.#unfollow?.();
    this.#ownership.leaveAll();
    await Promise.race([Promise.all(this.#loops.map((loop) => loop.stop())), clock.sleep(deadlineMs)]);
    this.#backlog.close();
    const leaving = new Loop({
      ...{ everyMs: sharesEveryMs, clock, onError },
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
    this.#reader.noteClaimed(tenures);
    this.#reading?.wake();
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
      this.#held.forget();
      this.#holding?.wake();
      this.#suppressions.forget();
      this.#suppressing?.wake();
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

  /** A batch whose window is closed stays where it is, as if it were paused. */
  #heldAs(batch: string): HeldAs | undefined {
    return this.#held.heldAs(batch) ?? (this.#windows.isClosed(batch) ? 'paused' : undefined);
  }

  #onLoaded(work: ChunkWork): void {
    this.#ordered.noteLoaded(work);
    this.#backlog.wakeLoaded(work);
    if (work.interrupted > 0) {
      this.#counts.uncertain += work.interrupted;
      this.#outcomes.add(work, work.interrupted);
    }
    const { batch } = work.chunk;
    this.#windows.noteLoaded(work);
    const held = batch === null ? undefined : this.#heldAs(batch);
    if (held === 'paused') work.park();
    if (held === 'canceled') this.#decisions.cancelLoaded(work);
    if (mayLeaveMemory(work, this.#settings.clock.monotonicMs())) this.#outcomes.add(work, 0);
    else this.#offer(work, work.ready);
  }

  #onReady(work: ChunkWork, messages: number): void {
    if (messages > 0) this.#offer(work, messages);
    else if (work.offered) work.chunk.lane.ready += messages;
  }

  /** What is in memory of these batches stays, or is canceled. */
  #onHeld(batches: ReadonlyMap<string, HeldAs>): void {
    for (const tenure of this.#ownership.tenures.values()) {
      for (const chunk of tenure.chunks.values()) {
        const held = chunk.batch === null ? undefined : batches.get(chunk.batch);
        if (held !== undefined && tenure.state === 'held') this.#hold(chunk, held);
      }
    }
    // What is due too late to be in memory is canceled as well.
    if ([...batches.values()].includes('canceled')) this.#reader.readAllSoon();
  }

  #hold(chunk: PendingChunk, held: HeldAs): void {
    const parts = { backlog: this.#backlog, decisions: this.#decisions, outcomes: this.#outcomes };
    holdChunk(chunk, { held, ...parts });
  }

  #offer(work: ChunkWork, messages: number): void {
    const { lane } = work.chunk;
    lane.offer(work, messages);
    this.#runners.of(lane).offer(lane);
  }

  #onRecorded(work: ChunkWork, messages: number): void {
    this.#backlog.wakeWork(work);
    this.#outcomes.add(work, messages);
  }

  #onRest({ work, finished, remaining, dueAtMs }: FlushRest): void {
    const { chunk } = work;
    this.#loader.release(work);
    if (finished && chunk.batch !== null) this.#finisher.name(chunk.batch);
    if (finished) this.#backlog.leave(chunk);
    else if (chunk.batch !== null && this.#heldAs(chunk.batch) === 'paused') this.#backlog.forget(chunk);
    else this.#backlog.wait(chunk, remaining, dueAtMs);
    this.#loader.want(chunk.lane);
  }

  /** It is known what must not be sent: what is held, and which accounts have suppressions. */
  get #isWarned(): boolean {
    return this.#held.known && this.#suppressions.known;
  }

  /** What the runners of all routes have in common. */
  #routeContext(): RouteContext {
    const { clock, control, connectors, onError, observer, random = Math.random } = this.#settings;
    const mayLeave = (nowMs: number) => !this.#stopping && nowMs < this.#ownership.deadlineMs;
    return {
      ...(observer && { observer }),
      clock,
      random,
      connectors,
      endpoints: {
        of: (accountId, name) => endpointOf(control.webhookOf(accountId, name)),
        signingKeyOf: (accountId) => control.signingKeyOf(accountId),
        catchUp: () => control.catchUp(),
      },
      onError,
      onBreaker: this.#settings.onBreaker ?? (() => {}),
      counts: this.#counts,
      signal: this.#aborting.signal,
      isStopping: () => this.#stopping,
      mayTake: (nowMs) => mayLeave(nowMs) && this.#isWarned && !this.#outcomes.full,
      mayLeave,
      leaseStands: (nowMs) => nowMs < this.#ownership.deadlineMs && this.#isWarned,
      isHeld: ({ chunk }) => chunk.batch !== null && this.#heldAs(chunk.batch) !== undefined,
      windows: this.#windows.messages,
      onBatchClosed: (work, untilMs) => this.#windows.onBatchClosed(work, untilMs),
      onPutOff: (work) => this.#windows.onPutOff(work),
      onRouteOpened: () => this.#wantAll(),
      isSuppressed: (work, offset, to) => this.#suppressions.isSuppressed(work, offset, to),
      databaseNowMs: (ms) => ms + this.#databaseAheadMs,
      accountPace: (accountId, nowMs) => this.#shares.accountPace(accountId, nowMs),
      courtesy: this.#courtesy,
      shareOf: (key) => this.#shares.shareOf(key),
      onRecorded: (work, messages) => this.#onRecorded(work, messages),
      onMarked: (work, messages, recorded) => this.#outcomes.addUrgent(work, messages, recorded),
      onTaken: (lane) => this.#loader.want(lane),
    };
  }
}
