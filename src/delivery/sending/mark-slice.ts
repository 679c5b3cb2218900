import type { Clock } from '../../lib/clock.ts';
import { stateNumber } from '../../message/state.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import type { Recorded } from '../outcomes/outcome-buffer.ts';
import type { MessageOutcome } from '../outcomes/outcome-groups.ts';
import { expiredBeforeSend, type Slice } from './slice.ts';

export interface SliceMarks {
  clock: Clock;
  /** What has been marked may leave: the lease stands, and the worker is not stopping. */
  mayLeave: (nowMs: number) => boolean;
  /** Outcomes were recorded in `work`. */
  onRecorded: (work: ChunkWork, messages: number) => void;
  /** Marks were recorded in `work`; `recorded` is told when they are in the database, or never will be. */
  onMarked: (work: ChunkWork, messages: number, recorded: Recorded) => void;
}

export interface MarkedSlice {
  hasExpired: (work: ChunkWork, offset: number, nowMs: number) => boolean;
  /** A message came to its end without being sent. */
  onOutcome: (work: ChunkWork, offset: number, outcome: MessageOutcome) => void;
  leave: (slice: Slice) => void;
}

/**
 * Records that messages are about to leave, before they do: an owner that finds the mark without an outcome
 * knows that it cannot know, and holds the message instead of sending it again. `leave` is called once, with
 * what may leave now; that is nothing when the lease ran out while the mark was written, and not what expired.
 */
export function markSlice(slice: Slice, marks: SliceMarks, marked: MarkedSlice): void {
  const { works } = slice;
  const nowMs = marks.clock.monotonicMs();
  slice.messages.forEach(({ attempt }, index) => {
    works[index]!.mark(slice.offsets[index]!, attempt, nowMs);
  });
  const messagesOf = new Map<ChunkWork, number>();
  for (const work of works) messagesOf.set(work, (messagesOf.get(work) ?? 0) + 1);
  let open = messagesOf.size;
  for (const [work, messages] of messagesOf) {
    marks.onMarked(work, messages, () => {
      open--;
      if (open === 0) marked.leave(sendable(slice, marks, marked));
    });
  }
}

/** A message that was marked and then did not leave: the mark is taken back, and the attempt with it. */
export function notSent(attempt: number, nowMs: number): MessageOutcome {
  return { state: stateNumber.retrying, attempt: attempt - 1, atMs: nowMs, dueAtMs: nowMs };
}

function sendable(slice: Slice, marks: SliceMarks, { hasExpired, onOutcome }: MarkedSlice): Slice {
  const { clock, mayLeave, onRecorded } = marks;
  const nowMs = clock.monotonicMs();
  const may = mayLeave(nowMs);
  const { destinations } = slice;
  const nothing = { messages: [], works: [], offsets: [], simulated: 0 };
  const leaving: Slice = { ...nothing, ...(destinations && { destinations }) };
  slice.works.forEach((work, index) => {
    const message = slice.messages[index]!;
    const offset = slice.offsets[index]!;
    const { tenure } = work.chunk;
    const late = tenure.state !== 'ended' && hasExpired(work, offset, nowMs);
    // What was refused may not be marked.
    if (may && tenure.state !== 'ended' && !tenure.refused && !late) {
      leaving.messages.push(message);
      leaving.works.push(work);
      leaving.offsets.push(offset);
      return;
    }
    tenure.inFlight--;
    if (tenure.state === 'ended') {
      work.giveBack(offset);
      return;
    }
    if (late) {
      onOutcome(work, offset, expiredBeforeSend(message.attempt - 1, nowMs));
      return;
    }
    work.record(offset, notSent(message.attempt, nowMs));
    onRecorded(work, 1);
  });
  return leaving;
}
