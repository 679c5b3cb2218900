import type { Answer } from '../../connectors/connector.ts';
import type { Route } from '../../message/route.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import { EndpointHolds } from '../destinations/endpoint-holds.ts';
import type { WindowHold } from '../windows/message-windows.ts';
import type { RouteContext } from './route-context.ts';
import type { Slice, SliceHolds } from './slice.ts';

/** What keeps the messages of one route where they are: windows, endpoints that want to be left alone, and that they have expired. */
export class RouteHolds implements SliceHolds {
  readonly #context: RouteContext;
  readonly #endpoints: EndpointHolds;
  #route: Route | undefined;

  constructor(context: RouteContext) {
    this.#context = context;
    this.#endpoints = new EndpointHolds((accountId, to) => this.addressOf(accountId, to));
  }

  change(route: Route | undefined): void {
    this.#route = route;
  }

  /** The window of the route is closed. */
  isClosed(nowMs: number): boolean {
    const route = this.#route;
    return route?.sendWindow !== undefined && this.#context.windows.routeOpensAtMs(route, nowMs) > nowMs;
  }

  /** When a window that is closed opens. */
  opensAtMs(nowMs: number): number {
    return this.#context.windows.routeOpensAtMs(this.#route!, nowMs);
  }

  closes(work: ChunkWork, nowMs: number): boolean {
    if (work.window === undefined) return false;
    const untilMs = this.#context.windows.batchClosedUntilMs(work, nowMs);
    if (untilMs !== undefined) this.#context.onBatchClosed(work, untilMs);
    return untilMs !== undefined;
  }

  holdOf(work: ChunkWork, offset: number, nowMs: number): WindowHold | undefined {
    const message = { route: this.#route!, work, offset };
    return this.#context.windows.holdOf(message, nowMs) ?? this.#endpoints.holdOf(work, offset, nowMs);
  }

  /** Without an offset: of messages that have no expiry of their own, nor a window. */
  expiresAtMs(work: ChunkWork, offset: number | undefined, nowMs: number): number {
    const route = this.#route;
    if (route === undefined) return Number.POSITIVE_INFINITY;
    const { databaseNowMs, windows } = this.#context;
    const hours = windows.hoursOf(route, work, offset);
    return work.expiry.atMs(offset, route.retry.expireAfterMs, hours) - databaseNowMs(nowMs) + nowMs;
  }

  expiresApart(work: ChunkWork, offset: number): boolean {
    return work.expiry.isOwn(offset) || this.#context.windows.isByMessage(this.#route!, work);
  }

  addressOf(accountId: number, to: string): string {
    if (this.#route?.channel !== 'webhook' || to.includes('://')) return to;
    return this.#context.endpoints.of(accountId, to)?.url ?? to;
  }

  /** Whatever happened while the connection was made. A lease that was renewed says nothing of a shard that was lost before. */
  mayStillLeave({ messages, works, offsets }: Slice, nowMs: number): boolean {
    const route = this.#route!;
    if (this.isClosed(nowMs)) return false;
    return works.every(
      (work, index) =>
        isOwned(work) &&
        !this.#context.isHeld(work) &&
        !this.#context.isSuppressed(work, offsets[index]!, messages[index]!.fields.to) &&
        this.expiresAtMs(work, offsets[index]!, nowMs) > nowMs &&
        this.#context.windows.holdOf({ route, work, offset: offsets[index]! }, nowMs) === undefined &&
        this.#endpoints.admit({ work, offset: offsets[index]! }, messages[index]!.fields.to, nowMs) ===
          undefined,
    );
  }

  /** Where all messages have one provider, its gate waits for it. */
  noteAnswers({ messages, works, offsets }: Slice, answers: readonly Answer[], nowMs: number): void {
    if (!this.#context.connectors.get(this.#route?.connector ?? '')?.manyEndpoints) return;
    for (const [index, answer] of answers.entries()) {
      const message = { work: works[index]!, offset: offsets[index]! };
      this.#endpoints.note(message, { to: messages[index]!.fields.to, answer }, nowMs);
    }
  }
}

function isOwned({ chunk }: ChunkWork): boolean {
  return chunk.tenure.state !== 'ended';
}
