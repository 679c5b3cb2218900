import type { JSX } from 'preact';
import type { LiveRoute, LiveView } from '../../api/shapes.ts';
import { count, rate } from '../../format/number.ts';
import { ago, duration } from '../../format/time.ts';
import { Section } from '../../parts/section.tsx';
import { StateMark } from '../../parts/state-mark.tsx';
import { Table } from '../../parts/table.tsx';
import { linkTo } from '../../place.ts';

export function RoutesPart({ view }: { view: LiveView }): JSX.Element {
  const atMs = Date.parse(view.at);
  return (
    <Section title="Routes">
      <Table<LiveRoute>
        caption="Routes with messages that wait or leave"
        rows={view.routes}
        keyOf={({ name }) => name}
        empty="No route has anything to send."
        columns={[
          { name: 'Route', show: ({ name }) => <a href={linkTo(['routes', name])}>{name}</a>, wide: true },
          { name: 'State', show: (route) => <StateMark state={routeState(route)} /> },
          { name: 'Sent /s', numeric: true, show: ({ sent }) => rate(sent) },
          {
            name: 'May send /s',
            numeric: true,
            show: ({ ratePerSecond, queued }) =>
              ratePerSecond === null ? (queued > 0 ? 'no limit' : '–') : rate(ratePerSecond),
          },
          { name: 'At once', numeric: true, show: ({ concurrency }) => count(concurrency) },
          { name: 'Failed /s', numeric: true, show: ({ failed }) => rate(failed) },
          { name: 'Waiting', numeric: true, show: ({ queued }) => count(queued) },
          {
            name: 'Oldest',
            numeric: true,
            show: ({ oldestDueAt }) =>
              oldestDueAt === null ? '–' : duration(atMs - Date.parse(oldestDueAt)),
          },
          {
            name: 'Last error',
            show: ({ lastError }) =>
              lastError === null ? '–' : `${lastError.code}, ${ago(lastError.at, atMs)}`,
          },
        ]}
      />
    </Section>
  );
}

/** In one word, the worst first. */
export function routeState(
  route: Pick<LiveRoute, 'paused' | 'breaker' | 'opensAt' | 'sent' | 'queued'>,
): string {
  if (route.paused) return 'paused';
  if (route.breaker === 'open' || route.breaker === 'half-open') return `breaker ${route.breaker}`;
  if (route.opensAt !== null && route.sent === 0) return 'window closed';
  if (route.sent > 0) return 'sends';
  return route.queued > 0 ? 'waiting' : 'idle';
}
