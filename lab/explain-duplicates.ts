import type { Repeat } from '../test/chaos/sink-watch.ts';
import type { Acknowledged } from './cluster/node-watch.ts';
import type { RecordedOutcome } from './load/recorded-outcomes.ts';
import type { NodeName } from './network.ts';

/** Why messages came to the provider again. */
export interface DuplicateBooks {
  /** Handed over, and the database that is left had no outcome of it when they were handed over again, by the outage between. */
  unrecorded: { outage: Outage; messages: number }[];
  /** Handed over, and recorded as without an answer: the route sends such ones again. */
  unanswered: number;
  /** None of both, each in words. */
  unexplained: string[];
}

/** Seconds since the scenario's beginning in which no node acknowledged a direct write. */
export interface Outage {
  from: number;
  to: number;
  /** Who acknowledged the last write before it and the first one after it. */
  before?: NodeName;
  after?: NodeName;
}

/** Shorter pauses on one node are those of a busy machine. */
const pauseMinMs = 1_000;
const examplesMax = 10;

/**
 * Holds each coming of a message that had come before against what is recorded of it. All times are monotonic
 * milliseconds.
 */
export function explainDuplicates(evidence: {
  repeats: readonly Repeat[];
  /** By id. */
  recorded: ReadonlyMap<string, readonly RecordedOutcome[]>;
  acknowledged: readonly Acknowledged[];
  beganAt: number;
  endedAt: number;
}): DuplicateBooks {
  const { repeats, recorded, acknowledged, beganAt, endedAt } = evidence;
  const outages = outagesOf(acknowledged, { beganAt, endedAt });
  const messages = outages.map(() => 0);
  const books: DuplicateBooks = { unrecorded: [], unanswered: 0, unexplained: [] };
  for (const { id, beforeAt, at } of repeats) {
    const between = (recorded.get(id) ?? []).filter((outcome) => outcome.at >= beforeAt && outcome.at < at);
    const outage = outages.findIndex(({ from, to }) => beforeAt <= to && at >= from);
    const came = `${id} came at +${seconds(beforeAt - beganAt)} and +${seconds(at - beganAt)} s`;
    if (between.some(({ state }) => state === 'retrying')) books.unanswered++;
    else if (between.length > 0)
      books.unexplained.push(`${came}, and was recorded as ${between[0]!.state} between`);
    else if (outage < 0) books.unexplained.push(`${came}, and the database took writes all the time`);
    else messages[outage]!++;
  }
  books.unrecorded = outages.flatMap(({ from, to, ...nodes }, index) =>
    messages[index] === 0
      ? []
      : [
          {
            outage: { from: (from - beganAt) / 1_000, to: (to - beganAt) / 1_000, ...nodes },
            messages: messages[index]!,
          },
        ],
  );
  return books;
}

/** A sentence for each reason. */
export function describeDuplicates({ unrecorded, unanswered, unexplained }: DuplicateBooks): string[] {
  const again = 'sent again, under the same key';
  const lines = unrecorded.map(
    ({ outage, messages }) =>
      `${messages} handed over, with nothing recorded of it in the database when ${describeOutage(outage)}: ${again}`,
  );
  if (unanswered > 0) lines.push(`${unanswered} handed over, and recorded as without an answer: ${again}`);
  lines.push(...unexplained.slice(0, examplesMax).map((words) => `UNEXPLAINED: ${words}`));
  if (unexplained.length > examplesMax) lines.push(`UNEXPLAINED: ${unexplained.length - examplesMax} more`);
  return lines;
}

function describeOutage({ from, to, before, after }: Outage): string {
  const stretch = `+${seconds(from * 1_000)} to +${seconds(to * 1_000)} s`;
  if (before === undefined || after === undefined) return `no node took writes (${stretch})`;
  return before === after
    ? `${before} took no writes (${stretch})`
    : `writes went from ${before} to ${after} (${stretch})`;
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1);
}

/** In order of time. Of another primary, or another timeline, also the shortest. */
function outagesOf(
  acknowledged: readonly Acknowledged[],
  { beganAt, endedAt }: { beganAt: number; endedAt: number },
): Outage[] {
  const inOrder = [...acknowledged].sort((a, b) => a.at - b.at);
  const outages: Outage[] = [];
  for (let n = 0; n <= inOrder.length; n++) {
    const [before, after] = [inOrder[n - 1], inOrder[n]];
    const [from, to] = [before?.at ?? beganAt, after?.at ?? endedAt];
    const moved = before && after && (before.node !== after.node || before.timeline !== after.timeline);
    if (!moved && to - from <= pauseMinMs) continue;
    outages.push({ from, to, ...(before && { before: before.node }), ...(after && { after: after.node }) });
  }
  return outages;
}
