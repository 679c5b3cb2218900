import type { Bitmap } from '../../message/bitmap.ts';
import { isFinal, stateNumber } from '../../message/state.ts';
import type { PendingChunk } from '../backlog/pending-chunk.ts';
import type { KeyedMessages } from '../ordering/keyed-messages.ts';
import type { ChunkContents } from './chunk-contents.ts';
import type { MessageHistory } from './message-history.ts';
import type { WaitingMessages } from './waiting-messages.ts';

export interface LoadedMessages {
  chunk: PendingChunk;
  history: MessageHistory;
  /** Takes those that are not due yet. */
  waiting: WaitingMessages;
  /** Keeps those that wait for others. */
  keyed: KeyedMessages | undefined;
  /** An earlier owner ended while it sent the message, which is to become uncertain. */
  noteInterrupted: (offset: number) => void;
}

/**
 * Finds what is left to do of a chunk that was worked on before, or whose messages have times. Outcomes alone tell:
 * what remained when the chunk came to rest misses a message that was replayed since. The answer is what can be sent.
 */
export function leftToDo(
  { nowMs, dueAtMs, onInterrupted }: Pick<ChunkContents, 'nowMs' | 'dueAtMs' | 'onInterrupted'>,
  messages: LoadedMessages,
): { first: Bitmap; ready: number } {
  const { chunk, history, waiting, keyed } = messages;
  const first = new Uint8Array((chunk.count + 7) >> 3);
  let ready = 0;
  let { admitted = 0 } = chunk;
  chunk.admitted = 0;
  for (let offset = 0; offset < chunk.count; offset++) {
    if (isFinal(history.stateAt(offset))) {
      keyed?.noteSettledBefore(offset);
      continue;
    }
    if (history.stateAt(offset) === stateNumber.sending && onInterrupted === 'hold') {
      messages.noteInterrupted(offset);
      continue;
    }
    if (keyed?.keep(offset)) continue;
    keyed?.noteOpen(offset);
    const atMs = dueAtMs(offset);
    // A retry that is due waits for being admitted, unless that has been done.
    if (atMs > nowMs || (history.isRetry(offset) && admitted-- <= 0)) {
      waiting.add(offset, Math.max(atMs, nowMs));
    } else {
      first[offset >> 3]! |= 1 << (offset & 7);
      ready++;
    }
  }
  return { first, ready };
}
