import type { Sender } from '../../connectors/connector.ts';
import { Alarm } from '../../lib/alarm.ts';
import type { Route } from '../../message/route.ts';
import type { Lane } from '../backlog/lane.ts';
import { TurnOrder } from '../backlog/turn-order.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import { DestinationGate } from '../destinations/destination-gate.ts';
import { countOutcome } from '../observe/delivery-counts.ts';
import type { MessageOutcome } from '../outcomes/outcome-groups.ts';
import type { BreakerChange } from '../pace/breaker.ts';
import type { RetryGate } from '../pace/retry-budget.ts';
import { type GateStats, type Permit, RouteGate } from '../pace/route-gate.ts';
import { destinationShares } from '../shares/destination-shares.ts';
import type { RouteUse } from '../shares/share-demand.ts';
import { connectionsKey, destinationConnectionsKey, rateKey } from '../shares/share-keys.ts';
import { type Departure, Departures } from './departures.ts';
import { markSlice } from './mark-slice.ts';
import type { RouteContext } from './route-context.ts';
import { RouteHolds } from './route-holds.ts';
import { isOfCallbacks, routeLimits } from './route-limits.ts';
import { RouteWatch } from './route-watch.ts';
import { settleSlice } from './settle-slice.ts';
import { simulateAttempt } from './simulate-attempt.ts';
import { expiredBeforeSend, type Slice, type TakenMessage, taken, takeSlice } from './slice.ts';

/** How this worker may send through a route now, and what is on its way. */
export interface RouteState extends GateStats {
  routeId: number;
  inFlight: number;
}

/** Messages that a lane keeps loaded ahead of its sends. */
const readyMin = 1_000;
const readyBatches = 4;

/** For so long messages are handed over before other routes of the thread have their turn: some that are rendered take 15 ms each. */
const turnMsMax = 50;
/** So many attempts are simulated before answers, loads and other routes have theirs: nothing else bounds them, as they take no slot. */
const simulatedMax = 64;

/** Sends the messages of one route as its gate lets them out: whose turn it is, and what became of them. */
export class RouteRunner implements RetryGate {
  readonly #context: RouteContext;
  readonly #gate: RouteGate;
  readonly #watch = new RouteWatch();
  readonly #holds: RouteHolds;
  readonly #alarm: Alarm;
  readonly #order = new TurnOrder<Lane>((lane) => this.#isReady(lane));
  readonly #departures: Departures;
  #destinations: DestinationGate | undefined;
  #route: Route | undefined;
  #sender: Sender | undefined;
  #use = { messages: 0, requestsMax: 0 };
  /** The moment of the pump that runs. */
  #nowMs = 0;
  /** The window was closed when it was looked at last. */
  #wasClosed = false;
  /** Chunks of which the pump that runs put messages off. */
  readonly #putOff = new Set<ChunkWork>();

  constructor(context: RouteContext, route: Route | undefined) {
    this.#context = context;
    this.#holds = new RouteHolds(context);
    this.#alarm = new Alarm(context.clock, () => this.pump());
    this.#departures = new Departures({
      clock: context.clock,
      signal: context.signal,
      mayBegin: (departure) => this.#mayBegin(departure),
      onAnswered: (answered) => this.#settle(answered),
      onError: context.onError,
    });
    this.#gate = new RouteGate({
      random: context.random,
      nowMs: context.clock.monotonicMs(),
      onBreaker: (change) => this.#tellBreaker(change),
    });
    this.change(route);
  }

  /** Requests on their way. */
  get inFlight(): number {
    return this.#gate.inFlight;
  }

  /** Nothing of the lane can leave at the moment. */
  isStuck(lane: Lane): boolean {
    const nowMs = this.#context.clock.monotonicMs();
    if (this.#sender === undefined || this.#holds.isClosed(nowMs)) return true;
    if (this.#gate.isShut(nowMs) || this.#destinations?.isStuck(lane)) return true;
    return !this.#gate.accounts.opens(lane, nowMs);
  }

  /** Nothing but shares keeps the lane: no pause, no window, no breaker, no answer that asked for a wait. */
  couldSend(lane: Lane): boolean {
    const nowMs = this.#context.clock.monotonicMs();
    if (this.#sender === undefined || this.#holds.isClosed(nowMs)) return false;
    return !this.#gate.isBlocked(lane.key.accountId, nowMs);
  }

  /** The window of the route is closed. */
  get isClosed(): boolean {
    return this.#holds.isClosed(this.#context.clock.monotonicMs());
  }

  /** Of the messages of a lane that were put aside, those whose destinations have room by now. */
  roomFor(lane: Lane): number {
    return this.#destinations?.roomFor(lane, this.#context.clock.monotonicMs()) ?? 0;
  }

  /** Messages that the lane should have in memory, ready to be sent. */
  readyWanted(lane: Lane): number {
    if (this.#sender === undefined || this.#context.isStopping() || lane.isCrowded || this.isClosed) return 0;
    return Math.max(readyMin, readyBatches * this.#sender.batchMax);
  }

  /** Follows a changed route, and the worker's changed share of it. Requests on their way end as they began. */
  change(route: Route | undefined): void {
    const { clock } = this.#context;
    if (route?.version !== this.#route?.version || route?.paused !== this.#route?.paused) {
      this.#sender?.close().catch(this.#context.onError);
      this.#sender = route && this.#open(route);
    }
    this.#route = route;
    this.#holds.change(route);
    const nowMs = clock.monotonicMs();
    this.#gate.accounts.freeAll();
    this.#gate.change(routeLimits(this.#sender && route, this.#context), nowMs);
    this.#changeDestinations(nowMs);
  }

  /** The lane has messages to send. */
  offer(lane: Lane): void {
    this.#order.add(lane);
    this.pump();
  }

  /** Of so many messages of the route whose retry is due, those that may be tried now. */
  admitRetries(wanted: number): number {
    const nowMs = this.#context.clock.monotonicMs();
    const othersReady = () => this.#nextLane(1, nowMs) !== undefined;
    return this.#gate.admitRetries(wanted, { nowMs, othersReady });
  }

  /** When those that may not should ask again. */
  retriesAgainAtMs(): number {
    return this.#gate.retriesAgainAtMs(this.#context.clock.monotonicMs());
  }

  /** Begins as many sends as may begin. */
  pump(): void {
    const sender = this.#sender;
    if (sender === undefined) return;
    const nowMs = this.#context.clock.monotonicMs();
    if (this.#waitsForWindow(nowMs)) return;
    const { accounts } = this.#gate;
    for (const lane of accounts.freed(nowMs)) {
      this.#order.add(lane);
      this.#context.onTaken(lane);
      this.#destinations?.laneFreed(lane, nowMs);
    }
    this.#destinations?.wake(nowMs);
    try {
      this.#takeTurns(sender, nowMs);
    } finally {
      this.#departures.leave();
    }
    this.#alarm.ringAt(accounts.nextAtMs);
    if (this.#destinations) this.#alarm.ringAt(this.#destinations.nextAtMs);
  }

  /** Lets lanes send in turn, as long as there is room and time. */
  #takeTurns(sender: Sender, beganAtMs: number): void {
    const gate = this.#gate;
    const { clock } = this.#context;
    const untilMs = beganAtMs + turnMsMax;
    let simulated = 0;
    // Each turn has its own time: the process may be suspended between two.
    for (
      let nowMs = beganAtMs;
      this.#context.mayTake(nowMs) && !this.#holds.isClosed(nowMs);
      nowMs = clock.monotonicMs()
    ) {
      if (this.#departures.areDue(nowMs)) this.#departures.leave();
      if (nowMs >= untilMs || simulated >= simulatedMax) {
        this.#alarm.ringAt(nowMs);
        break;
      }
      const room = gate.room(sender.batchMax, nowMs);
      if (room === 0) {
        this.#alarm.ringAt(nowMs + gate.waitMs(sender.batchMax, nowMs));
        break;
      }
      const lane = this.#nextLane(sender.batchMax, nowMs);
      if (lane === undefined) break;
      const pace = this.#context.accountPace(lane.key.accountId, nowMs);
      const asked = { batchMax: sender.batchMax, nowMs };
      const messagesMax = Math.min(room, pace?.room(lane, asked) ?? room);
      const slice = this.#take(lane, { messagesMax, nowMs, untilMs });
      pace?.take(lane, slice.messages.length);
      this.#order.charge(lane, taken(slice));
      simulated += slice.simulated;
      this.#context.onTaken(lane);
      lane.handed += slice.messages.length;
      if (slice.messages.length > 0) this.#send(sender, lane, slice);
      else this.#destinations?.end(slice, nowMs);
    }
  }

  stats(lane: Lane): GateStats & ReturnType<RouteWatch['stats']> & { share: number } {
    const stats = this.#gate.stats(this.#context.clock.monotonicMs());
    const window = this.#gate.accounts.windowOf(lane.key.accountId);
    const key = stats.ratePerSecond === null ? connectionsKey : rateKey;
    const share = this.#context.shareOf(key(lane.key.routeId));
    return { ...stats, ...this.#watch.stats(lane), concurrency: Math.min(stats.concurrency, window), share };
  }

  /** Undefined for a route that has been deleted. */
  get state(): RouteState | undefined {
    if (this.#route === undefined) return undefined;
    const { inFlight } = this;
    return { routeId: this.#route.id, inFlight, ...this.#gate.stats(this.#context.clock.monotonicMs()) };
  }

  /** What has expired while it waited for its destination comes to its end, whether or not there is room. */
  endExpired(): void {
    const nowMs = this.#context.clock.monotonicMs();
    this.#destinations?.endFirst(({ work, offset }) => {
      if (!this.#context.mayTake(nowMs) || this.#holds.expiresAtMs(work, offset, nowMs) > nowMs) return false;
      work.takeAside(offset);
      this.#end(work, offset, expiredBeforeSend(work.attemptsAt(offset), nowMs));
      return true;
    });
    this.pump();
  }

  /** Of what is shared and limits requests at once, the parts that are in use, by key. */
  *inUse(): Generator<[string, number]> {
    if (this.#route === undefined) return;
    const { id, concurrency, destinations = [] } = this.#route;
    if (this.inFlight > 0) yield [connectionsKey(id), this.inFlight / concurrency];
    for (const [match, requests] of this.#destinations?.inUse() ?? []) {
      const limit = destinations.find((destination) => destination.match === match)?.concurrency;
      if (limit !== undefined) yield [destinationConnectionsKey(id, match), requests / limit];
    }
  }

  /** What it has used since the last call. */
  takeUse(): RouteUse {
    const use = this.#use;
    this.#use = { messages: 0, requestsMax: this.#gate.inFlight };
    const destinations = this.#destinations?.takeUses((lane) => this.couldSend(lane)) ?? new Map();
    return { ...use, batchMax: this.#sender?.batchMax ?? 1, destinations };
  }

  async close(): Promise<void> {
    this.#alarm.callOff();
    await this.#sender?.close();
    this.#sender = undefined;
  }

  /** Nothing for a route that is paused or cannot be used: its messages stay where they are. */
  #open(route: Route): Sender | undefined {
    const { connectors, endpoints, onError } = this.#context;
    if (route.paused) return undefined;
    try {
      const connector = connectors.get(route.connector);
      if (connector === undefined) throw new Error(`there is no connector ${route.connector}`);
      return connector.open({ options: route.options, concurrency: route.concurrency, endpoints });
    } catch (error) {
      onError(new Error(`route ${route.name} cannot be used`, { cause: error }));
      return undefined;
    }
  }

  #nextLane(quantum: number, nowMs: number): Lane | undefined {
    this.#nowMs = nowMs;
    return this.#order.next(quantum, this.#gate.bulkAllowed);
  }

  /** A lane whose account may not send at the moment comes back by itself. */
  #isReady(lane: Lane): boolean {
    const readyBefore = lane.ready;
    const front = lane.front();
    // What was ready has gone to another worker: what is left of the lane may be loaded in its place.
    if (lane.ready < readyBefore) this.#context.onTaken(lane);
    const destinations = this.#destinations;
    const loaded = front !== undefined;
    if (!(destinations?.isReady(lane, loaded) ?? loaded)) return false;
    if (this.#accountOpens(lane, this.#nowMs)) return true;
    destinations?.passOver(lane);
    return false;
  }

  /** Lanes of the account on other routes are heard as well; one that must wait keeps nothing of this route. */
  #accountOpens(lane: Lane, nowMs: number): boolean {
    if (!this.#gate.accounts.opens(lane, nowMs)) return false;
    const pace = this.#context.accountPace(lane.key.accountId, nowMs);
    if (pace === undefined) return true;
    const batchMax = this.#sender?.batchMax ?? 1;
    if (pace.room(lane, { batchMax, nowMs }) > 0) return true;
    this.#gate.accounts.parkUntil(lane, pace.againAtMs(lane));
    return false;
  }

  /** Comes back by itself when the window opens. */
  #waitsForWindow(nowMs: number): boolean {
    const wasClosed = this.#wasClosed;
    this.#wasClosed = this.#holds.isClosed(nowMs);
    if (this.#wasClosed) this.#alarm.ringAt(this.#holds.opensAtMs(nowMs));
    else if (wasClosed) this.#context.onRouteOpened();
    return this.#wasClosed;
  }

  #take(
    lane: Lane,
    { messagesMax, nowMs, untilMs }: { messagesMax: number; nowMs: number; untilMs: number },
  ): Slice {
    const { isSuppressed, onError, clock } = this.#context;
    const slice = takeSlice(lane, {
      messagesMax,
      nowMs,
      destinations: this.#destinations,
      holds: this.#holds,
      hasTime: () => clock.monotonicMs() < untilMs,
      onPutOff: (work, offset) => {
        if (work.attemptsAt(offset) > 0) this.#gate.giveBackRetry();
        this.#putOff.add(work);
      },
      isSuppressed,
      onTest: (taken) => this.#endTest(taken, nowMs),
      onOutcome: (work, offset, outcome) => this.#end(work, offset, outcome),
      onFault: onError,
    });
    for (const work of this.#putOff) this.#context.onPutOff(work);
    this.#putOff.clear();
    return slice;
  }

  #send(sender: Sender, lane: Lane, slice: Slice): void {
    for (const work of slice.works) work.chunk.tenure.inFlight++;
    const { accountId } = lane.key;
    this.#use.messages += slice.messages.length;
    const permit = this.#gate.begin({ accountId, messages: slice.messages.length, nowMs: this.#nowMs });
    this.#use.requestsMax = Math.max(this.#use.requestsMax, this.#gate.inFlight);
    if (!isOfCallbacks(this.#route)) this.#context.courtesy.noteOthers(slice.messages.length, this.#nowMs);
    if (this.#route?.onUncertain !== 'hold') {
      this.#departures.add({ sender, slice, permit, refused: false }, this.#nowMs);
      return;
    }
    const leave = (marked: Slice) => {
      const nowMs = this.#context.clock.monotonicMs();
      if (marked.messages.length > 0) {
        const refused = sender !== this.#sender;
        this.#departures.add({ sender, slice: marked, permit, refused }, nowMs);
        this.#departures.leave();
        return;
      }
      this.#gate.giveBack(permit, nowMs);
      this.#destinations?.end(slice, nowMs);
      this.pump();
    };
    const hasExpired = (work: ChunkWork, offset: number, nowMs: number) =>
      this.#holds.expiresAtMs(work, offset, nowMs) <= nowMs;
    const onOutcome = (work: ChunkWork, offset: number, outcome: MessageOutcome) =>
      this.#end(work, offset, outcome);
    markSlice(slice, this.#context, { leave, hasExpired, onOutcome });
  }

  /** A message came to its end without being sent. */
  #end(work: ChunkWork, offset: number, outcome: MessageOutcome): void {
    if (outcome.attempt > 0) this.#gate.giveBackRetry();
    countOutcome(this.#context.counts, work.record(offset, outcome));
    this.#context.onRecorded(work, 1);
  }

  /** It would have left: what becomes of it is simulated. */
  #endTest(taken: TakenMessage, nowMs: number): void {
    const { work, offset, message } = taken;
    const at = { route: this.#route!, sender: this.#sender!, nowMs };
    if (message.attempt > 1) this.#gate.giveBackRetry();
    countOutcome(this.#context.counts, work.record(offset, simulateAttempt(taken, at, this.#context)));
    this.#context.onRecorded(work, 1);
  }

  #mayBegin({ sender, slice }: Departure): boolean {
    const nowMs = this.#context.clock.monotonicMs();
    return (
      sender === this.#sender && this.#context.leaseStands(nowMs) && this.#holds.mayStillLeave(slice, nowMs)
    );
  }

  /** What is told together has one moment, and lets the next go together. */
  #settle(answered: readonly Departure[]): void {
    const nowMs = this.#context.clock.monotonicMs();
    for (const departure of answered) this.#settleOne(departure, nowMs);
    this.pump();
  }

  #settleOne({ slice, permit, answers, refused }: Departure, nowMs: number): void {
    const { counts } = this.#context;
    const { beganAtMs } = permit;
    const { lane } = slice.works[0]!.chunk;
    if (refused) this.#giveBack(lane, slice, { permit, nowMs });
    else {
      counts.requests++;
      counts.attempts += slice.messages.length;
      this.#watch.note(lane, answers, nowMs);
      this.#gate.end(permit, { messages: slice.messages, answers, nowMs });
      this.#holds.noteAnswers(slice, answers, nowMs);
    }
    this.#destinations?.end(slice, nowMs);
    settleSlice({ route: this.#route!, slice, answers, refused, beganAtMs, nowMs }, this.#context);
  }

  /** What did not leave takes nothing from what may leave now. */
  #giveBack(lane: Lane, { messages }: Slice, { permit, nowMs }: { permit: Permit; nowMs: number }): void {
    this.#gate.giveBack(permit, nowMs);
    for (const { attempt } of messages) if (attempt > 1) this.#gate.giveBackRetry();
    this.#context.accountPace(lane.key.accountId, nowMs)?.giveBack(messages.length);
  }

  #tellBreaker(change: BreakerChange): void {
    const { errorCode } = this.#watch;
    const route = this.#route?.name ?? 'unknown';
    this.#context.onBreaker({ route, ...change, ...(errorCode !== undefined && { errorCode }) });
  }

  #changeDestinations(nowMs: number): void {
    const limits = this.#route?.destinations;
    if (limits === undefined && this.#destinations === undefined) return;
    this.#destinations ??= new DestinationGate({
      opens: (lane, atMs) => this.#accountOpens(lane, atMs),
      onRoom: (lane) => {
        this.#order.add(lane);
        this.#context.onTaken(lane);
      },
    });
    const shares = this.#route ? destinationShares(this.#route, this.#context.shareOf) : [];
    this.#destinations.change({ shares, batchMax: this.#sender?.batchMax ?? 1, nowMs });
    if (limits === undefined) this.#destinations = undefined;
    // Lanes that may go on by the new limits do so soon.
    this.#alarm.ringAt(nowMs);
  }
}
