import { offsetsOf } from '../../message/bitmap.ts';
import { classicId } from '../../message/classic-id.ts';
import { reportedStatus } from '../../message/classic-status.ts';
import { messageIdAt } from '../../message/id.ts';
import { limits } from '../../message/limits.ts';
import { stateName } from '../../message/state.ts';
import type { StatusReport } from '../../message/status-report.ts';
import { fieldsToShow } from '../../message/stored-message.ts';
import type { FeedRow } from '../../store/reading/read-events.ts';

/** A request for a message's `reportUrl`. */
export interface MadeReport {
  reportUrl: string;
  messageId: string;
  report: StatusReport;
}

/** Whether messages of a row may be reported: those of MessageBird's classic API are in no batch. */
export function mayBeReported(row: FeedRow): row is FeedRow & { kind: 'messages' } {
  return (
    row.kind === 'messages' &&
    row.batch === null &&
    row.chunkCount <= limits.classicRecipientsMax &&
    statusOf(row) !== undefined
  );
}

/**
 * The status reports of a row, of `lines` of its chunk: of messages that name where to, and have a reference, as the classic
 * API reported no others. Who was erased is not told of.
 */
export function reportsOf(row: FeedRow & { kind: 'messages' }, lines: readonly string[]): MadeReport[] {
  const status = statusOf(row);
  if (status === undefined) return [];
  return offsetsOf(row.offsets, row.chunkCount).flatMap((offset) => {
    const { to, ref, reportUrl, erased } = fieldsToShow(lines[offset] ?? '');
    if (erased || reportUrl === undefined || ref === undefined) return [];
    const report = { id: classicId(row.id), reference: ref, to, status, at: row.at.toISOString() };
    return [{ reportUrl, messageId: messageIdAt(row.id, offset), report }];
  });
}

function statusOf({ state, attempt }: FeedRow & { kind: 'messages' }) {
  return reportedStatus({ state: stateName(state), attempt });
}
