import type { Clock } from '../../lib/clock.ts';
import type { Backlog } from '../backlog/backlog.ts';
import type { Decisions } from '../decisions/decisions.ts';
import type { Holding } from '../decisions/holding.ts';
import type { DeliveryCounts } from '../observe/delivery-counts.ts';
import type { OrderedChunks } from '../ordering/ordered-chunks.ts';
import type { FlushRest } from '../outcomes/flush-of.ts';
import type { OutcomeBuffer } from '../outcomes/outcome-buffer.ts';
import type { RouteRunners } from '../sending/route-runners.ts';
import type { WorkerWindows } from '../windows/worker-windows.ts';
import { mayLeaveMemory } from './at-rest.ts';
import type { ChunkLoader } from './chunk-loader.ts';
import type { ChunkWork } from './chunk-work.ts';

export interface ChunkFlowSettings {
  clock: Clock;
  backlog: Pick<Backlog, 'wakeLoaded' | 'wakeWork' | 'leave' | 'forget' | 'wait'>;
  ordered: Pick<OrderedChunks, 'noteLoaded'>;
  windows: Pick<WorkerWindows, 'noteLoaded'>;
  holding: Pick<Holding, 'heldAs'>;
  decisions: Pick<Decisions, 'cancelLoaded'>;
  runners: Pick<RouteRunners, 'of'>;
  outcomes: Pick<OutcomeBuffer, 'add'>;
  loader: Pick<ChunkLoader, 'release' | 'want'>;
  counts: Pick<DeliveryCounts, 'uncertain'>;
  /** A chunk of the batch is done. */
  onFinished: (batch: string) => void;
  /** A chunk of a batch that waits for its closing was forgotten, which may have come meanwhile. */
  onForgotten: (batch: string) => void;
}

/** The way of a chunk through memory: loaded, offered to its route, recorded, and at rest. */
export class ChunkFlow {
  readonly #settings: ChunkFlowSettings;

  constructor(settings: ChunkFlowSettings) {
    this.#settings = settings;
  }

  onLoaded(work: ChunkWork): void {
    const { clock, backlog, ordered, windows, holding, decisions, outcomes, counts } = this.#settings;
    ordered.noteLoaded(work);
    backlog.wakeLoaded(work);
    if (work.interrupted > 0) {
      counts.uncertain += work.interrupted;
      outcomes.add(work, work.interrupted);
    }
    const { batch } = work.chunk;
    windows.noteLoaded(work);
    const held = batch === null ? undefined : holding.heldAs(batch);
    if (held === 'paused') work.park();
    if (held === 'canceled') decisions.cancelLoaded(work);
    if (mayLeaveMemory(work, clock.monotonicMs())) outcomes.add(work, 0);
    else this.offer(work, work.ready);
  }

  /** So many messages more, or fewer, can be sent. */
  onReady(work: ChunkWork, messages: number): void {
    if (messages > 0) this.offer(work, messages);
    else if (work.offered) work.chunk.lane.ready += messages;
  }

  offer(work: ChunkWork, messages: number): void {
    const { lane } = work.chunk;
    lane.offer(work, messages);
    this.#settings.runners.of(lane).offer(lane);
  }

  onRecorded(work: ChunkWork, messages: number): void {
    this.#settings.backlog.wakeWork(work);
    this.#settings.outcomes.add(work, messages);
  }

  onRest({ work, finished, remaining, dueAtMs }: FlushRest): void {
    const { backlog, holding, loader, onFinished, onForgotten } = this.#settings;
    const { chunk } = work;
    loader.release(work);
    if (finished && chunk.batch !== null) onFinished(chunk.batch);
    if (finished) backlog.leave(chunk);
    else if (chunk.batch !== null && holding.heldAs(chunk.batch) === 'paused') backlog.forget(chunk);
    else if (chunk.batch !== null && chunk.awaitsClosing) {
      // It was decided on, and waits on.
      backlog.forget(chunk);
      onForgotten(chunk.batch);
    } else backlog.wait(chunk, remaining, dueAtMs);
    loader.want(chunk.lane);
  }
}
