import { ago, describeLanes } from '../describe-lanes.ts';
import { formatAmount, formatCount, formatTable } from '../format.ts';
import type { Terminal } from '../terminal.ts';
import type { Flood, FloodRoute } from './read-flood.ts';

type Picture = Pick<Terminal, 'style' | 'columns'>;

/** As lines of a screen: the whole first, then routes, then lanes. */
export function floodLines(flood: Flood, terminal: Picture): string[] {
  const { style, columns } = terminal;
  const tables = flood.lanes.length === 0 ? [] : ['', ...routeLines(flood.routes, terminal), ''];
  const [header = '', ...lanes] = describeLanes(flood.lanes, columns).split('\n');
  return [floodLine(flood), ...tables, flood.lanes.length === 0 ? header : style('bold', header), ...lanes];
}

/** The whole in one line. */
export function floodLine({ queued, sentPerSecond, oldestDueAt, server }: Flood): string {
  const { acceptedPerSecond = null, shardsWithoutOwner = null } = server ?? {};
  return [
    `${formatCount(queued)} waiting`,
    ...(acceptedPerSecond === null ? [] : [`${acceptedPerSecond.toFixed(1)}/s accepted here`]),
    `${sentPerSecond.toFixed(1)}/s sent`,
    ...(oldestDueAt === null ? [] : [`oldest ${ago(oldestDueAt)}`]),
    ...(server === null
      ? []
      : [`${formatAmount(server.workers, 'worker')} here with ${formatAmount(server.ownedShards, 'shard')}`]),
    ...(shardsWithoutOwner ? [`${formatAmount(shardsWithoutOwner, 'shard')} WITHOUT AN OWNER`] : []),
  ].join(', ');
}

function routeLines(routes: readonly FloodRoute[], { style, columns }: Picture): string[] {
  const rows = routes.map((route) => [
    route.route,
    route.lanes,
    route.queued,
    route.sentPerSecond.toFixed(1),
    route.ratePerSecond === null ? '' : route.ratePerSecond.toFixed(1),
    route.paused ? 'paused' : (route.breaker ?? ''),
    route.lastError ? `${route.lastError.code} (${ago(route.lastError.at)} ago)` : '',
  ]);
  const header = ['ROUTE', 'LANES', 'QUEUED', 'SENT/S', 'LIMIT/S', 'BREAKER', 'LAST ERROR'];
  const [first, ...lines] = formatTable(header, rows, { width: columns }).split('\n');
  return [
    style('bold', first!),
    ...lines.map((line, index) => {
      const { paused, breaker } = routes[index]!;
      if (breaker === 'open') return style('red', line);
      return paused || breaker === 'half-open' ? style('yellow', line) : line;
    }),
  ];
}
