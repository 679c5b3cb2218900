import type { Queryable } from '../../store/database.ts';
import { readStatisticsBacklog } from '../../store/inspection/read-statistics-backlog.ts';
import { whyNotThere } from '../../store/statistics/settle-target.ts';
import { type Check, type Finding, orOk } from '../check.ts';

/** They are added up each second; two minutes are a server that was started again. */
const overdueMs = 120_000;

/** What was counted, and is not in the statistics. */
export const statistics: Check = {
  name: 'statistics',
  async run({ database, eventsDatabase }) {
    const backlog = await readStatisticsBacklog(database);
    const { oldestMs, deltas, folds, foldBytes, keptElsewhere } = backlog;
    const findings: Finding[] = [];
    const away = eventsDatabase && (await whyAway(eventsDatabase));
    if (away !== undefined) {
      findings.push({
        severity: 'warning',
        summary: `the events database cannot be reached (${away}): deliveries go on, and what is counted waits in the database`,
        mend: 'Is PostgreSQL up there, and are host, port, user and password of --events-database right? psql URL tells',
      });
    }
    const refusal = eventsDatabase && away === undefined && (await whyNotThere(database, eventsDatabase));
    if (refusal) {
      findings.push({
        severity: 'error',
        summary: `nothing is added to the statistics: ${refusal.message}; what is counted waits in the database`,
        mend: 'Set --events-database (MILLRACE_EVENTS_DATABASE) of every server to the right one, and start them again',
      });
    }
    if (keptElsewhere && eventsDatabase === undefined) {
      findings.push({
        severity: 'warning',
        summary: 'the statistics are kept in a database of their own, and eventsDatabase is not set here',
        mend: 'Give every server, and this command, the same --events-database (MILLRACE_EVENTS_DATABASE)',
      });
    }
    if (oldestMs > overdueMs) {
      const megabytes = (foldBytes / 1_000_000).toFixed(1);
      findings.push({
        severity: 'warning',
        summary: `statistics are ${Math.round(oldestMs / 1_000)} s behind: ${deltas} transactions and ${folds} folds (${megabytes} MB) wait to be added up, nothing of it is lost`,
        mend: 'Give one server at least the role events (millrace serve --roles api,deliver,events), and see its log for why statistics could not be added up',
      });
    }
    return orOk(findings, 'statistics are up to date');
  },
};

async function whyAway(eventsDatabase: Queryable): Promise<string | undefined> {
  try {
    await eventsDatabase.query({ name: '', text: 'SELECT 1' });
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
