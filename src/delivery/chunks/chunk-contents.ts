import type { MessageDefaults } from '../../message/fields.ts';
import type { FoldedOutcomes } from '../../message/fold-outcomes.ts';
import type { OnUncertain } from '../../message/route.ts';
import type { ChunkTemplates } from '../../message/templates/templated-text.ts';
import type { MessageTimes } from './message-times.ts';

/** What a chunk is loaded with. */
export interface ChunkContents {
  /** Of a parked chunk only where its messages name tags. */
  lines: string[];
  defaults: MessageDefaults | undefined;
  /** What renders its messages; undefined where none needs it. */
  templates?: ChunkTemplates | undefined;
  /** What is recorded so far; undefined for nothing. */
  folded: FoldedOutcomes | undefined;
  /** What its sender said of their times; undefined for nothing. */
  times?: MessageTimes | undefined;
  /** Messages that are due after this moment wait; by the monotonic clock and as `dueAtMs` says. */
  nowMs: number;
  /** When a message, or its retry, is due on the monotonic clock. */
  dueAtMs: (offset: number) => number;
  /** What becomes of messages that an earlier owner had marked in flight and never settled. */
  onInterrupted: OnUncertain;
  /** A test key has sent them: nobody gets them. Unknown of a parked chunk, of which nothing is sent. */
  test: boolean;
  /** The messages are not sent from here: it is loaded to be decided on, without their text. */
  parked?: boolean;
  /** The tags of messages that name none; else those among the defaults. */
  defaultTags?: readonly string[] | undefined;
}
