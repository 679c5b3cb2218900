import { setTimeout as sleep } from 'node:timers/promises';
import { countOpenRequests } from '../../store/decisions/request-decision.ts';
import type { ApiContext } from '../context.ts';

const pollMs = 50;
/** Owners look every 250 ms; a message that is on its way may take longer, and then the answer does not wait. */
const waitMsMax = 2_000;

/** Resolves when the owners of the shards have answered what was asked of them, or after a while. */
export async function awaitOwners(
  { database }: ApiContext,
  of: Parameters<typeof countOpenRequests>[1],
): Promise<void> {
  const endMs = performance.now() + waitMsMax;
  while ((await countOpenRequests(database, of)) > 0 && performance.now() < endMs) await sleep(pollMs);
}
