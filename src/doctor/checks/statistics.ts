import { readStatisticsBacklog } from '../../store/inspection/read-statistics-backlog.ts';
import { type Check, type Finding, orOk } from '../check.ts';

/** They are added up each second; two minutes are a server that was started again. */
const overdueMs = 120_000;

/** What was counted, and is not in the statistics. */
export const statistics: Check = {
  name: 'statistics',
  async run({ database }) {
    const { oldestMs, deltas, folds, foldBytes } = await readStatisticsBacklog(database);
    const findings: Finding[] = [];
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
