import type { Clock } from '../../lib/clock.ts';
import type { Backlog } from '../backlog/backlog.ts';
import type { PendingChunk } from '../backlog/pending-chunk.ts';
import { isAtRest } from '../chunks/at-rest.ts';
import type { BatchHoldStore } from '../delivery-store.ts';
import type { OutcomeBuffer } from '../outcomes/outcome-buffer.ts';
import type { Tenure } from '../ownership/tenure.ts';
import type { WorkerWindows } from '../windows/worker-windows.ts';
import type { Decisions } from './decisions.ts';
import { type HeldAs, HeldBatches } from './held-batches.ts';

export interface HoldingSettings {
  store: BatchHoldStore;
  clock: Clock;
  tenures: () => ReadonlyMap<number, Tenure>;
  windows: Pick<WorkerWindows, 'isClosed'>;
  backlog: Pick<Backlog, 'forget'>;
  decisions: Pick<Decisions, 'cancel' | 'cancelLoaded'>;
  outcomes: Pick<OutcomeBuffer, 'add'>;
  /** All that is pending is to be read soon. */
  reread: () => void;
  /** It is known which batches are held. */
  onKnown: () => void;
}

/** Which batches are held, by a decision or by their windows, and what that does to their chunks in memory. */
export class Holding {
  /** Those that are paused or canceled. */
  readonly batches: HeldBatches;
  readonly #settings: HoldingSettings;

  constructor(settings: HoldingSettings) {
    this.#settings = settings;
    const { store, clock, reread, onKnown } = settings;
    this.batches = new HeldBatches({
      store,
      clock,
      onHeld: (batches) => this.#holdAll(batches),
      onReleased: reread,
      onKnown,
    });
  }

  /** A batch whose window is closed stays where it is, as if it were paused. */
  heldAs(batch: string): HeldAs | undefined {
    return this.batches.heldAs(batch) ?? (this.#settings.windows.isClosed(batch) ? 'paused' : undefined);
  }

  /** The windows of these batches have closed. */
  noteClosed(ids: ReadonlySet<string>): void {
    this.#holdAll(new Map([...ids].map((id) => [id, this.heldAs(id) ?? 'paused'])));
  }

  /** What is in memory of a chunk stays where it is, or is canceled, because its batch is held now. */
  hold(chunk: PendingChunk, held: HeldAs): void {
    const { backlog, decisions, outcomes } = this.#settings;
    const { work, place, lane } = chunk;
    if (place === 'waiting' || place === 'due') {
      if (held === 'paused') backlog.forget(chunk);
      else decisions.cancel(chunk);
    } else if (work !== undefined && !work.closed && held === 'canceled') {
      decisions.cancelLoaded(work);
    } else if (work !== undefined && !work.closed && !work.parked) {
      const lost = work.park();
      if (work.offered) lane.ready -= lost;
      if (isAtRest(work)) outcomes.add(work, 0);
    }
  }

  #holdAll(batches: ReadonlyMap<string, HeldAs>): void {
    const { tenures, reread } = this.#settings;
    for (const tenure of tenures().values()) {
      for (const chunk of tenure.chunks.values()) {
        const held = chunk.batch === null ? undefined : batches.get(chunk.batch);
        if (held !== undefined && tenure.state === 'held') this.hold(chunk, held);
      }
    }
    // What is due too late to be in memory is canceled as well.
    if ([...batches.values()].includes('canceled')) reread();
  }
}
