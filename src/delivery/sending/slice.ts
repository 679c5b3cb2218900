import type { OutgoingMessage } from '../../connectors/connector.ts';
import { erasedError } from '../../message/erased-line.ts';
import { stateNumber } from '../../message/state.ts';
import { suppressedError } from '../../message/suppression.ts';
import { RenderError } from '../../message/templates/template-error.ts';
import type { Lane } from '../backlog/lane.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import type { Destination } from '../destinations/destination.ts';
import type { DestinationGate } from '../destinations/destination-gate.ts';
import type { DestinationQueue } from '../destinations/destination-queue.ts';
import type { MessageOutcome } from '../outcomes/outcome-groups.ts';
import { heldForGood, type WindowHold } from '../windows/message-windows.ts';

/** Messages of one lane that leave in one request. Three lists side by side: `messages[i]` is at `offsets[i]` of `works[i]`. */
export interface Slice {
  readonly messages: OutgoingMessage[];
  readonly works: ChunkWork[];
  readonly offsets: number[];
  /** Messages beside them that test keys have sent: their turn is used up as well. */
  simulated: number;
  /** Where they go, of the destinations that the route limits. */
  destinations?: Set<Destination>;
}

/** What keeps messages from leaving at a moment of the monotonic clock. */
export interface SliceHolds {
  /** The URL that is meant by a name, where messages go to registered endpoints: its host is the destination. */
  addressOf(accountId: number, to: string): string;
  /** When a message expires, on the monotonic clock; without an offset, what has no expiry of its own. */
  expiresAtMs(work: ChunkWork, offset: number | undefined, nowMs: number): number;
  /** The message may expire otherwise than others of its chunk. */
  expiresApart(work: ChunkWork, offset: number): boolean;
  /** True when nothing of the chunk's batch may leave now: it is parked then. */
  closes(work: ChunkWork, nowMs: number): boolean;
  /** What keeps a message by the windows of its recipient, its batch and its route, or by the wish of its endpoint. */
  holdOf(work: ChunkWork, offset: number, nowMs: number): WindowHold | undefined;
}

/** A message that was taken to be sent. */
export interface TakenMessage {
  work: ChunkWork;
  offset: number;
  message: OutgoingMessage;
}

export interface TakeSliceSettings {
  messagesMax: number;
  nowMs: number;
  /** What lets messages through to their destinations; undefined where the route limits none. */
  destinations: DestinationGate | undefined;
  holds: SliceHolds;
  /** False once others should have their turn: then no further message is rendered for this slice. */
  hasTime: () => boolean;
  /** A message was put off until its windows open. */
  onPutOff: (work: ChunkWork, offset: number) => void;
  /** The recipient gets nothing of this account. */
  isSuppressed: (work: ChunkWork, offset: number, to: string) => boolean;
  /** A message that a test key has sent is ready to leave, and does not. */
  onTest: (taken: TakenMessage) => void;
  /** A message came to its end without being sent. */
  onOutcome: (work: ChunkWork, offset: number, outcome: MessageOutcome) => void;
  /** Handling a stored message threw. */
  onFault: (error: unknown) => void;
}

/**
 * Takes the next messages of a lane, from as many of its chunks as it needs. A message that has expired, whose recipient is
 * suppressed, or that cannot be handled, is settled on the way and costs its neighbours nothing.
 */
export function takeSlice(lane: Lane, settings: TakeSliceSettings): Slice {
  const slice: Slice = { messages: [], works: [], offsets: [], simulated: 0 };
  const { destinations, holds, nowMs } = settings;
  if (destinations) takeAside(lane, slice, { settings, destinations });
  let current: ChunkWork | undefined;
  let expired = false;
  while (taken(slice) < settings.messagesMax) {
    const work = lane.front();
    if (work === undefined || (destinations && lane.isCrowded)) break;
    if (work !== current) {
      if (holds.closes(work, nowMs)) continue;
      current = work;
      expired = holds.expiresAtMs(work, undefined, nowMs) <= nowMs;
    }
    const offset = work.take();
    lane.ready--;
    const apart = holds.expiresApart(work, offset);
    const late = apart ? holds.expiresAtMs(work, offset, nowMs) <= nowMs : expired;
    if (late) settings.onOutcome(work, offset, expiredBeforeSend(work.attemptsAt(offset), nowMs));
    else addUnlessHeld(slice, { work, offset, settings });
    if (work.isTemplated && !settings.hasTime()) break;
  }
  return slice;
}

/** What waited for room at its destination, and has it now. */
function takeAside(
  lane: Lane,
  slice: Slice,
  of: { settings: TakeSliceSettings; destinations: DestinationGate },
): void {
  const { settings, destinations } = of;
  const { holds, nowMs } = settings;
  while (taken(slice) < settings.messagesMax) {
    const queue = destinations.next(lane, slice);
    if (queue === undefined) break;
    const { work, offset } = queue.peek()!;
    queue.shift();
    if (holds.closes(work, nowMs)) continue;
    work.takeAside(offset);
    const late = holds.expiresAtMs(work, offset, nowMs) <= nowMs;
    if (late) settings.onOutcome(work, offset, expiredBeforeSend(work.attemptsAt(offset), nowMs));
    else addUnlessHeld(slice, { work, offset, settings, queue });
    if (work.isTemplated && !settings.hasTime()) break;
  }
}

/** Messages that it took of its lane. */
export function taken({ messages, simulated }: Slice): number {
  return messages.length + simulated;
}

interface Taken {
  work: ChunkWork;
  offset: number;
  settings: TakeSliceSettings;
  /** Where it waited for room at its destination. */
  queue?: DestinationQueue;
}

/** Windows come first: where it waits for one, a message is neither rendered nor does it take room at its destination. */
function addUnlessHeld(slice: Slice, taken: Taken): void {
  const { work, offset, settings } = taken;
  const { holds, nowMs } = settings;
  const hold = holds.holdOf(work, offset, nowMs);
  if (hold === undefined) {
    add(slice, taken);
  } else if ('error' in hold) {
    const { error } = hold;
    settings.onOutcome(work, offset, heldForGood(work.attemptsAt(offset), { error, atMs: nowMs }));
  } else {
    // What expires before is woken to come to its end then.
    const untilMs = Math.min(hold.untilMs, holds.expiresAtMs(work, offset, nowMs));
    work.putOff(offset, { ...hold, untilMs });
    settings.onPutOff(work, offset);
  }
}

function add(slice: Slice, taken: Taken): void {
  const { work, offset, settings } = taken;
  const id = work.idAt(offset);
  const attempt = work.attemptsAt(offset) + 1;
  try {
    if (putAsideAtGlance(slice, taken)) return;
    const fields = work.fieldsAt(offset);
    if (fields.erased) {
      settings.onOutcome(work, offset, erased(work.attemptsAt(offset), settings.nowMs));
      return;
    }
    if (settings.isSuppressed(work, offset, fields.to)) {
      settings.onOutcome(work, offset, suppressed(work.attemptsAt(offset), settings.nowMs));
      return;
    }
    const { accountId } = work.chunk.lane.key;
    const payloadText = fields.payload === undefined ? undefined : work.payloadAtGlance(offset);
    const message = { id, key: work.keyAt(offset), accountId, attempt, fields, payloadText };
    if (work.isTest) {
      slice.simulated++;
      settings.onTest({ work, offset, message });
      return;
    }
    if (settings.destinations && !mayLeave(slice, taken, fields.to)) return;
    slice.messages.push(message);
  } catch (error) {
    if (error instanceof RenderError) {
      settings.onOutcome(work, offset, unrendered(work.attemptsAt(offset), error, settings.nowMs));
      return;
    }
    settings.onFault(error);
    settings.onOutcome(work, offset, unhandled(work.attemptsAt(offset), settings.nowMs));
    return;
  }
  slice.works.push(work);
  slice.offsets.push(offset);
}

/**
 * A message without room at its destination is put aside unread, as far as its recipient can be seen at a glance: reading what waits for a
 * busy host took 6 % of the thread's busy time while it was done twice, and 4 % done once.
 */
function putAsideAtGlance(slice: Slice, { work, offset, settings, queue }: Taken): boolean {
  const { destinations, holds, isSuppressed } = settings;
  if (destinations === undefined || queue !== undefined || work.isTest) return false;
  const recipient = work.recipientAtGlance(offset);
  if (recipient === undefined || isSuppressed(work, offset, recipient)) return false;
  const to = holds.addressOf(work.chunk.lane.key.accountId, recipient);
  return destinations.putAsideIfFull(slice, { work, offset, to });
}

function mayLeave(slice: Slice, { work, offset, settings, queue }: Taken, recipient: string): boolean {
  const destinations = settings.destinations!;
  if (queue !== undefined && work.recipientAtGlance(offset) === recipient) {
    destinations.leave(queue, slice);
    return true;
  }
  const to = settings.holds.addressOf(work.chunk.lane.key.accountId, recipient);
  // What was seen at a glance may not be what counts, as a line may name `to` twice: then it waits anew, for the one that counts.
  if (queue === undefined || !destinations.isFor(queue, to))
    return destinations.admit(slice, { work, offset, to });
  destinations.leave(queue, slice);
  return true;
}

export function expiredBeforeSend(attempt: number, atMs: number): MessageOutcome {
  const error = { code: 'expired', detail: 'The message expired before it could be sent' };
  return { state: stateNumber.expired, attempt, atMs, error };
}

function erased(attempt: number, atMs: number): MessageOutcome {
  return { state: stateNumber.canceled, attempt, atMs, error: erasedError };
}

function suppressed(attempt: number, atMs: number): MessageOutcome {
  return { state: stateNumber.suppressed, attempt, atMs, error: suppressedError };
}

/** Its error quotes nothing of the parameters. */
function unrendered(attempt: number, { message: detail }: RenderError, atMs: number): MessageOutcome {
  return { state: stateNumber.failed, attempt, atMs, error: { code: 'template_failed', detail } };
}

/** Fixed words: what a parser says of a text quotes it. */
function unhandled(attempt: number, atMs: number): MessageOutcome {
  const error = { code: 'internal_handling', detail: 'The stored message could not be handled; it is kept' };
  return { state: stateNumber.failed, attempt, atMs, error };
}
