import { Command } from 'commander';
import type { Statistics, StatisticsPoint, StatisticsQuery, StatisticsSeries } from '../../client/client.ts';
import type { CommandContext } from '../command-context.ts';
import { type AccountOptions, oneOf, withAnyAccount, withExamples } from '../flags.ts';
import { formatDuration, formatTable } from '../format.ts';
import { printResult } from '../output.ts';
import { connect } from '../server-access.ts';

type Flags = AccountOptions & Omit<StatisticsQuery, 'account'>;

export function statisticsCommand(context: CommandContext): Command {
  const command = withAnyAccount(new Command('statistics'))
    .description(
      'what happened by the minute, hour or day, and how long messages waited for their first attempt',
    )
    .option('--step <step>', 'minute, hour or day (default: hour)', oneOf('minute', 'hour', 'day'))
    .option('--since <time>', 'from this time on (default: 60 minutes, 48 hours or 30 days before)')
    .option('--until <time>', 'before this time (default: now)')
    .option(
      '--by <what>',
      'a series for each account, route, batch or tag',
      oneOf('none', 'account', 'route', 'batch', 'tag'),
    )
    .option('--route <name>', 'of this route alone')
    .option('--batch <id>', 'of this batch alone')
    .option('--tag <tag>', 'of messages with this tag alone')
    .option('--total', 'one row for each series, of the whole time from --since to --until')
    .action(async (flags: Flags) => {
      const { json, url, data, account, ...query } = flags;
      const statistics = await connect(context, flags).statistics(query);
      printResult(context, statistics, { json, render: describe });
    });
  return withExamples(
    command,
    'statistics --step minute',
    'statistics --step day --since 2026-01-01T00:00:00Z --by route --json',
    'statistics --step day --by account --total',
  );
}

function describe({ series, since, until, asOf }: Statistics): string {
  const known = asOf === null ? 'nothing has been counted yet' : `from ${since} to ${until}, as of ${asOf}`;
  const all = series.flatMap(({ points, ...name }) => points.map((point) => ({ name: nameOf(name), point })));
  if (all.length === 0) return `nothing happened (${known})`;
  const isNamed = all.some(({ name }) => name !== '');
  const header = [...(isNamed ? ['OF'] : []), 'AT', ...columns.map(([title]) => title), 'P50', 'P95', 'P99'];
  const rows = all.map(({ name, point }) => [...(isNamed ? [name] : []), ...cellsOf(point)]);
  return `${formatTable(header, rows)}\n${known}`;
}

const columns = [
  ['ACCEPTED', 'accepted'],
  ['ATTEMPTS', 'attempts'],
  ['SENT', 'sent'],
  ['DELIVERED', 'delivered'],
  ['FAILED', 'failed'],
  ['EXPIRED', 'expired'],
  ['CANCELED', 'canceled'],
  ['SUPPRESSED', 'suppressed'],
  ['UNCERTAIN', 'uncertain'],
] as const;

function nameOf({ account, route, batch, tag }: Omit<StatisticsSeries, 'points'>): string {
  return account ?? route ?? batch ?? tag ?? '';
}

function cellsOf(point: StatisticsPoint): (string | number)[] {
  const { p50Ms, p95Ms, p99Ms } = point.timeToFirstAttempt;
  const waits = [p50Ms, p95Ms, p99Ms].map((ms) => (ms === null ? '' : formatDuration(ms)));
  return [point.at, ...columns.map(([, name]) => point[name]), ...waits];
}
