import type { Backlog } from '../backlog/backlog.ts';
import type { PendingChunk } from '../backlog/pending-chunk.ts';
import { isAtRest } from '../chunks/at-rest.ts';
import type { OutcomeBuffer } from '../outcomes/outcome-buffer.ts';
import type { Decisions } from './decisions.ts';
import type { HeldAs } from './held-batches.ts';

/** What is in memory of a chunk stays where it is, or is canceled, because its batch is held now. */
export function holdChunk(
  chunk: PendingChunk,
  as: { held: HeldAs; backlog: Backlog; decisions: Decisions; outcomes: OutcomeBuffer },
): void {
  const { work, place, lane } = chunk;
  if (place === 'waiting' || place === 'due') {
    if (as.held === 'paused') as.backlog.forget(chunk);
    else as.decisions.cancel(chunk);
  } else if (work !== undefined && !work.closed && as.held === 'canceled') {
    as.decisions.cancelLoaded(work);
  } else if (work !== undefined && !work.closed && !work.parked) {
    const lost = work.park();
    if (work.offered) lane.ready -= lost;
    if (isAtRest(work)) as.outcomes.add(work, 0);
  }
}
