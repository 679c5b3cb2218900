import type { JSX } from 'preact';
import { latest } from '../../api/live.ts';
import type { LiveRoute, Page, Route } from '../../api/shapes.ts';
import { usePolled } from '../../api/use-polled.ts';
import { count, rate } from '../../format/number.ts';
import { Pager } from '../../parts/pager.tsx';
import { ReadNote } from '../../parts/read-note.tsx';
import { StateMark } from '../../parts/state-mark.tsx';
import { Table } from '../../parts/table.tsx';
import { linkTo } from '../../place.ts';
import { routeState } from '../flood/routes-part.tsx';

/** All routes that the key may see, with what they do at the moment. */
export function RoutesView({ query }: { query: URLSearchParams }): JSX.Element {
  const after = query.get('after');
  const search = new URLSearchParams({ limit: '50', ...(after !== null && { after }) });
  const read = usePolled<Page<Route>>(`v1/routes?${search}`, { everyMs: 5_000 });
  const live = new Map(latest.value?.view.routes.map((route) => [route.name, route]));
  return (
    <>
      <h1>Routes</h1>
      <section class="section" aria-label="Routes">
        <ReadNote of={read} live />
        {read.data && (
          <>
            <Table<Route>
              caption="Routes by name"
              rows={read.data.data}
              keyOf={({ name }) => name}
              empty="There is no route yet: an administrator makes one with millrace route set."
              columns={[
                {
                  name: 'Route',
                  show: ({ name }) => <a href={linkTo(['routes', name])}>{name}</a>,
                  wide: true,
                },
                {
                  name: 'State',
                  show: (route) => <StateMark state={stateOf(route, live.get(route.name))} />,
                },
                { name: 'Connector', show: ({ connector }) => connector },
                { name: 'Channel', show: ({ channel }) => channel ?? '–' },
                { name: 'Limit /s', numeric: true, show: limitText },
                { name: 'At once', numeric: true, show: ({ concurrency }) => count(concurrency) },
                { name: 'Sent /s', numeric: true, show: ({ name }) => rate(live.get(name)?.sent ?? 0) },
                { name: 'Waiting', numeric: true, show: ({ name }) => count(live.get(name)?.queued ?? 0) },
                { name: 'Last error', show: ({ name }) => live.get(name)?.lastError?.code ?? '–' },
              ]}
            />
            <Pager path={['routes']} query={{}} after={after} next={read.data.next} />
          </>
        )}
      </section>
    </>
  );
}

export function stateOf(route: Pick<Route, 'paused'>, live: LiveRoute | undefined): string {
  if (route.paused ?? live?.paused) return 'paused';
  return live ? routeState(live) : 'idle';
}

function limitText({ ratePerSecond }: Route): string {
  if (ratePerSecond === undefined) return '–';
  return ratePerSecond === null ? 'none' : rate(ratePerSecond);
}
