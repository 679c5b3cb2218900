import { SendHours } from '../../message/send-window/send-hours.ts';
import { gatherReports } from '../../store/delivery/gather-reports.ts';
import type { LaneReport } from '../../store/delivery/worker-reports.ts';
import { readWaitingRoutes, type WaitingRoute } from '../../store/inspection/read-waiting-routes.ts';
import { type Check, type Finding, orOk } from '../check.ts';
import { endpointAdvice } from '../endpoint-advice.ts';

/** So many requests in a row of which nothing was sent are no list with a few bad numbers any more. */
const failingMin = 5;

/** Whether routes on which messages wait send any. */
export const routes: Check = {
  name: 'routes',
  async run({ database, clock }) {
    const waiting = await readWaitingRoutes(database);
    const workers = waiting.length > 0 ? await gatherReports(database, clock) : [];
    const hours = new SendHours();
    const findings = waiting.flatMap((route) =>
      route.paused ? paused(route) : [...closed(route, hours), ...failing(route, reportsOf(route, workers))],
    );
    return orOk(findings, `${waiting.length} have messages that wait, and none of them is paused or fails`);
  },
};

function paused({ name, due, oldestDueAt }: WaitingRoute): Finding[] {
  if (due === 0) return [];
  const since = oldestDueAt === null ? '' : `, the oldest since ${oldestDueAt.toISOString()}`;
  return [
    {
      severity: 'warning',
      summary: `route ${name} is paused, and ${due} messages are due on it${since}`,
      mend: `millrace route resume ${name}`,
    },
  ];
}

/** By the window that is the same for all its messages. */
function closed({ name, due, sendWindow, now }: WaitingRoute, hours: SendHours): Finding[] {
  const open = sendWindow && hours.ofAll(sendWindow);
  if (!open || due === 0) return [];
  const opensAtMs = open.opensAtMs(now.getTime());
  if (opensAtMs <= now.getTime()) return [];
  const until = Number.isFinite(opensAtMs) ? ` until ${new Date(opensAtMs).toISOString()}` : '';
  return [
    {
      severity: 'info',
      summary: `the send window of route ${name} is closed${until}, and ${due} messages wait for it`,
      mend: `Nothing, where that is wanted; millrace route set ${name} --change --no-send-window sends them now`,
    },
  ];
}

/** What each worker tells of a route, with the newest error of the lanes that it has there. */
function reportsOf({ id }: WaitingRoute, workers: LaneReport[][]): LaneReport[] {
  return workers.flatMap((lanes) => {
    const ofRoute = lanes.filter(({ routeId }) => routeId === id);
    return ofRoute.length === 0 ? [] : [{ ...ofRoute[0]!, lastError: newest(ofRoute) }];
  });
}

function newest(reports: LaneReport[]): NonNullable<LaneReport['lastError']> | null {
  const errors = reports.flatMap(({ lastError }) => lastError ?? []);
  return errors.sort((a, b) => Date.parse(b.at) - Date.parse(a.at))[0] ?? null;
}

function failing({ name, connector, messages }: WaitingRoute, reports: LaneReport[]): Finding[] {
  const open = reports.filter(({ breaker }) => breaker === 'open').length;
  const failed = reports.reduce((sum, report) => sum + (report.failing ?? 0), 0);
  const getsThrough = reports.some((report) => report.failing === 0);
  if (open === 0 && (getsThrough || failed < failingMin)) return [];
  const error = newest(reports);
  const why =
    open > 0
      ? `its breaker is open on ${open} of the ${reports.length} workers that have messages for it`
      : `of the last ${failed} requests none was taken`;
  return [
    {
      severity: 'error',
      summary: `route ${name} sends nothing: ${why}${error ? `, last error ${error.code} at ${error.at}` : ''}; ${messages} messages wait`,
      mend:
        connector === 'webhook'
          ? `${endpointAdvice}. They go on by themselves when they answer`
          : `millrace route test ${name} --to RECIPIENT tells what its provider says; millrace route show ${name}: are address and credentials right? It goes on by itself when the provider answers`,
    },
  ];
}
