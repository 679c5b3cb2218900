import { createDatabaseClock } from '../../store/database-clock.ts';
import { type OldPending, readOldPending } from '../../store/inspection/read-old-pending.ts';
import { type Check, type Finding, orOk } from '../check.ts';
import { endpointAdvice } from '../endpoint-advice.ts';

const dayMs = 86_400_000;
/** A backlog of so long is no flood any more. */
const oldAfterDays = 2;

/** A day's partitions stay as long as one of its chunks is unfinished. */
export const unfinishedChunks: Check = {
  name: 'unfinished-chunks',
  async run({ database, clock, retentionDays }) {
    const nowMs = (await createDatabaseClock(database, clock)).nowMs();
    const expired = await readOldPending(database, nowMs - retentionDays * dayMs);
    if (expired.length > 0) {
      const why = `older than the ${retentionDays} days that messages are kept: their days cannot be dropped`;
      return expired.map((pending) => finding('warning', { pending, why }));
    }
    const old = await readOldPending(database, nowMs - oldAfterDays * dayMs);
    const why = `older than ${oldAfterDays} days`;
    return orOk(
      old.map((pending) => finding('info', { pending, why })),
      `none is older than ${oldAfterDays} days`,
    );
  },
};

function finding(
  severity: Finding['severity'],
  { pending, why }: { pending: OldPending; why: string },
): Finding {
  const { route, connector, paused, account, chunks } = pending;
  const tried = connector === 'webhook' ? `. ${endpointAdvice}` : `, and millrace route test ${route} --to …`;
  return {
    severity,
    summary: `${chunks} unfinished chunks of account ${account} on route ${route}${paused ? ' (paused)' : ''} are ${why}`,
    mend: paused ? `millrace route resume ${route}, or cancel their batches` : `millrace lanes${tried}`,
  };
}
