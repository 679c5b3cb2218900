import { type RouteEnds, readRouteEnds } from '../../store/inspection/read-route-ends.ts';
import { readKnown } from '../../store/statistics/read-statistics.ts';
import { type Check, type Finding, orOk } from '../check.ts';
import { endpointAdvice } from '../endpoint-advice.ts';

const lookBackMs = 15 * 60_000;

/** A list always has some bad numbers: so many, and so large a part, are no longer those. */
const failedMin = 20;
const failedRatio = 0.2;

/** Whether routes that send fail more of their messages for good than a list with a few bad numbers would. */
export const failedMessages: Check = {
  name: 'failed-messages',
  async run({ database, eventsDatabase, clock }) {
    const untilMs = clock.nowMs();
    const statistics = eventsDatabase ?? database;
    // Where they are not here, or cannot be read, the check of the statistics says what to do.
    const { isElsewhere } = await readKnown(database);
    const ends =
      isElsewhere && eventsDatabase === undefined
        ? undefined
        : await readRouteEnds({ database, statistics }, { sinceMs: untilMs - lookBackMs, untilMs }).catch(
            () => undefined,
          );
    if (ends === undefined)
      return [{ severity: 'info', summary: 'how many messages failed is not known: see statistics' }];
    return orOk(ends.flatMap(failing), 'no route has failed many of its messages in the last 15 minutes');
  },
};

function failing({ name, connector, sent, failed }: RouteEnds): Finding[] {
  const all = sent + failed;
  if (failed < failedMin || failed < failedRatio * all) return [];
  const percent = Math.round((failed / all) * 100);
  return [
    {
      severity: 'warning',
      summary: `route ${name} failed ${failed} of ${all} messages (${percent} %) for good in the last 15 minutes`,
      mend:
        connector === 'webhook'
          ? endpointAdvice
          : 'With a key of the account: millrace batch errors ID tells why, by code; millrace message find --state failed lists those sent singly. ' +
            'Once it is mended: millrace batch replay ID --state failed, millrace message replay --state failed',
    },
  ];
}
