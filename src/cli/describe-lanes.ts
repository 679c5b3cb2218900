import type { Lane } from '../client/client.ts';
import { formatCount, formatDuration, formatTable } from './format.ts';

/** A table of lanes, for people. */
export function describeLanes(lanes: readonly Lane[], width: number): string {
  if (lanes.length === 0) return 'nothing waits, and nothing is being sent';
  const header = [
    'ROUTE',
    'ACCOUNT',
    'PRIORITY',
    'QUEUED',
    'ASIDE',
    'DUE FOR',
    'SENT/S',
    'LIMIT/S',
    'SHARE',
    'BREAKER',
    'HELD BY',
    'LAST ERROR',
  ];
  const rows = lanes.map((lane) => [
    lane.route,
    lane.accountId,
    lane.priority,
    lane.queued,
    lane.aside,
    lane.oldestDueAt === null ? '' : ago(lane.oldestDueAt),
    lane.sentPerSecond.toFixed(1),
    limitOf(lane),
    `${Math.round(lane.share * 100)} %`,
    lane.breaker ?? '',
    holderOf(lane),
    lane.lastError ? `${lane.lastError.code} (${ago(lane.lastError.at)} ago)` : '',
  ]);
  return formatTable(header, rows, { width });
}

/** The lower one: of the route now, or of its account over all its routes. */
function limitOf({ ratePerSecond, accountRatePerSecond }: Lane): string {
  const ofAccount = accountRatePerSecond ?? null;
  if (ofAccount !== null && ofAccount < (ratePerSecond ?? Number.POSITIVE_INFINITY)) {
    return `${ofAccount.toFixed(1)} (account)`;
  }
  return ratePerSecond === null ? '' : ratePerSecond.toFixed(1);
}

function holderOf({ paused, opensAt, held = 0, queued }: Lane): string {
  if (paused) return 'route paused';
  if (opensAt) return `window until ${opensAt}`;
  if (held === 0) return '';
  const why = 'batch paused, or its window closed';
  return held < queued ? `${why} (${formatCount(held)})` : why;
}

export function ago(time: string): string {
  return formatDuration(Math.max(0, Date.now() - Date.parse(time)));
}
