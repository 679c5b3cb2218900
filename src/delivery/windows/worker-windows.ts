import type { Clock } from '../../lib/clock.ts';
import { leftForMs } from '../backlog/backlog.ts';
import type { PendingChunk } from '../backlog/pending-chunk.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import type { DeliveryControl } from '../delivery-control.ts';
import type { Tenure } from '../ownership/tenure.ts';
import { ClosedBatches } from './closed-batches.ts';
import { MessageWindows } from './message-windows.ts';
import { RouteWindows } from './route-windows.ts';

export interface WorkerWindowsSettings {
  clock: Clock;
  control: DeliveryControl;
  tenures: () => ReadonlyMap<number, Tenure>;
  databaseNowMs: (monotonicMs: number) => number;
  /** These batches stay where they are. */
  onClosed: (batches: ReadonlySet<string>) => void;
  /** What is in memory of the chunk does. */
  hold: (chunk: PendingChunk) => void;
  /** The chunk is to be found by reading. */
  forget: (chunk: PendingChunk) => void;
  /** All that is pending is to be read now. */
  reread: () => void;
  onReady: (work: ChunkWork, messages: number) => void;
  onRecorded: (work: ChunkWork, messages: number) => void;
}

/** What was being recorded at a change is by then, as a rule. */
const recordedWithinMs = 5_000;

/** What send windows keep of a worker's messages, and when it goes on. */
export class WorkerWindows {
  readonly messages: MessageWindows;
  readonly #settings: WorkerWindowsSettings;
  readonly #closed: ClosedBatches;
  readonly #routes: RouteWindows;
  /** Everything pending is to be read once more then. */
  #rereadAtMs = Number.POSITIVE_INFINITY;

  constructor(settings: WorkerWindowsSettings) {
    this.#settings = settings;
    const { clock, control, databaseNowMs, onClosed, reread } = settings;
    this.messages = new MessageWindows(databaseNowMs);
    const nowMs = () => databaseNowMs(clock.monotonicMs());
    this.#closed = new ClosedBatches({ nowMs, onClosed, onOpened: reread });
    this.#routes = new RouteWindows((id) => control.routeById(id)?.sendWindow);
  }

  /** A batch whose window is closed stays where it is, as if it were paused. */
  isClosed(batch: string): boolean {
    return this.#closed.has(batch);
  }

  /** What was put off by a window that the route does not have any more is due, whatever its time says. */
  isDueAnew({ routeId, putOffBy }: { routeId: number; putOffBy: number | null }): boolean {
    return putOffBy !== null && this.#routes.note(routeId) !== putOffBy;
  }

  runOnce(): void {
    this.#closed.runOnce();
    if (this.#settings.clock.monotonicMs() < this.#rereadAtMs) return;
    this.#rereadAtMs = Number.POSITIVE_INFINITY;
    this.#settings.reread();
  }

  /** A chunk has been loaded whose batch may have to stay where it is. */
  noteLoaded(work: ChunkWork): void {
    if (work.window === undefined) return;
    const untilMs = this.messages.batchClosedUntilMs(work, this.#settings.clock.monotonicMs());
    if (untilMs !== undefined) this.#closed.note(work.chunk.batch!, untilMs);
  }

  onBatchClosed(work: ChunkWork, untilMs: number): void {
    this.#closed.note(work.chunk.batch!, untilMs);
    this.#settings.hold(work.chunk);
  }

  onPutOff(work: ChunkWork): void {
    this.#routes.note(work.chunk.lane.key.routeId);
    this.#settings.onRecorded(work, 0);
  }

  /** What waits for the window that a route had is looked at by the one that it has now. */
  onControlChange(): void {
    const changed = new Set(this.#routes.takeChanged());
    if (changed.size === 0) return;
    const { clock, tenures, forget, reread, onReady } = this.#settings;
    for (const tenure of tenures().values()) {
      for (const chunk of tenure.chunks.values()) {
        const { work, lane } = chunk;
        if (!changed.has(lane.key.routeId)) continue;
        if (work && !work.closed && !work.parked) onReady(work, work.returnPutOff());
        else if (chunk.place === 'waiting') forget(chunk);
      }
    }
    reread();
    // What had just left is not taken in again at once, and what is being recorded is found by a later read of everything.
    this.#rereadAtMs = clock.monotonicMs() + leftForMs + recordedWithinMs;
  }
}
