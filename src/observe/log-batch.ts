import type { Logger } from './log.ts';

export interface BatchDone {
  batchId: string;
  /** By state; those of no message are left out. */
  counts: Record<string, number>;
  /** From its creation to the end of its last message. */
  durationMs: number;
}

/** One line for each batch: when it is done, and again when it was replayed and is done once more. */
export function logBatch(log: Logger, { batchId, counts, durationMs }: BatchDone): void {
  const { accepted = 0 } = counts;
  const some = Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
  const seconds = Math.max(durationMs, 1) / 1_000;
  const messagesPerSecond = Math.round((accepted / seconds) * 10) / 10;
  log.info({ batchId, ...some, durationMs: Math.round(durationMs), messagesPerSecond }, 'a batch is done');
}
