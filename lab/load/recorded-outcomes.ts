import { inBitmap } from '../../src/message/bitmap.ts';
import { chunkIdOf, parseId } from '../../src/message/id.ts';
import { type State, stateName, stateNumber } from '../../src/message/state.ts';
import type { NodeWatch } from '../cluster/node-watch.ts';

/** What became of one handing over. */
export interface RecordedOutcome {
  state: State;
  /** Monotonic milliseconds: clocks of this machine and its databases are one. */
  at: number;
}

/** What is recorded of these messages' attempts, by id, read in SQL past Millrace. */
export async function recordedOutcomes(
  watch: NodeWatch,
  ids: ReadonlySet<string>,
): Promise<Map<string, RecordedOutcome[]>> {
  const recorded = new Map<string, RecordedOutcome[]>([...ids].map((id) => [id, []]));
  if (ids.size === 0) return recorded;
  const chunks = [...new Set([...ids].map(chunkIdOf))];
  const rows = await watch.ask<{ chunk_id: string; state: number; offsets: Buffer | null; at: Date }>(
    `SELECT chunk_id::text, state, offsets, at FROM outcome
      WHERE chunk_id IN (${chunks.map((id) => `'${id}'`).join()}) AND state >= ${stateNumber.retrying}
      ORDER BY chunk_id, seq`,
    'millrace',
  );
  for (const [id, outcomes] of recorded) {
    const { offset } = parseId(id);
    for (const { chunk_id, state, offsets, at } of rows) {
      if (chunk_id !== chunkIdOf(id) || !inBitmap(offsets, offset)) continue;
      outcomes.push({ state: stateName(state), at: at.getTime() - performance.timeOrigin });
    }
  }
  return recorded;
}
