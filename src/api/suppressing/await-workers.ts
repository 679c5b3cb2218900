import { type Clock, systemClock } from '../../lib/clock.ts';
import { ProblemError } from '../../message/error-codes.ts';
import type { SuppressionChannel } from '../../message/suppression.ts';
import {
  areConfirmed,
  confirmLists,
  countLists,
  openLists,
  readUnawareWorkers,
} from '../../store/control/suppression-lists.ts';
import type { Database } from '../../store/database.ts';

const pollMs = 50;
/** Workers look four times a second. One that has died is removed by the others within its lease, 5 s by default. */
const waitMsMax = 15_000;
const retryAfterSeconds = 5;

/**
 * Resolves when every worker looks at these lists of the account: from then on what is added holds for all that is sent later. Takes a
 * moment once for each list, when its first recipient is added.
 * @throws ProblemError `unavailable` where a worker does not say so for long
 */
export async function awaitWorkers(
  database: Database,
  lists: { accountId: number; channels: readonly SuppressionChannel[] },
  clock: Clock = systemClock,
): Promise<void> {
  if (await areConfirmed(database, lists)) return;
  await openLists(database, lists);
  const known = { lists: await countLists(database) };
  const endMs = clock.monotonicMs() + waitMsMax;
  for (;;) {
    const [unaware] = await readUnawareWorkers(database, known);
    if (unaware === undefined) break;
    if (clock.monotonicMs() > endMs) {
      const { host, pid } = unaware;
      const who = `the worker of process ${pid} on ${host}`;
      throw new ProblemError(
        'unavailable',
        `${who} has not taken notice of the new list; nothing was added. Try again: a worker that has died is left out soon.`,
        { retryAfterSeconds },
      );
    }
    await clock.sleep(pollMs);
  }
  await confirmLists(database, lists);
}
