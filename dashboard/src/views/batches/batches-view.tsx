import type { JSX } from 'preact';
import { can } from '../../api/session.ts';
import type { Batch, Page } from '../../api/shapes.ts';
import { usePolled } from '../../api/use-polled.ts';
import { count } from '../../format/number.ts';
import { moment } from '../../format/time.ts';
import { Pager } from '../../parts/pager.tsx';
import { Progress } from '../../parts/progress.tsx';
import { ReadNote } from '../../parts/read-note.tsx';
import { StateMark } from '../../parts/state-mark.tsx';
import { Table } from '../../parts/table.tsx';
import { linkTo } from '../../place.ts';
import { TimeLeft } from './time-left.tsx';

const everyMs = 2_000;
const pageSize = 25;

export function BatchesView({ query }: { query: URLSearchParams }): JSX.Element {
  const after = query.get('after');
  const search = new URLSearchParams({ limit: String(pageSize), ...(after !== null && { after }) });
  const read = usePolled<Page<Batch>>(`v1/batches?${search}`, { everyMs });
  return (
    <>
      <div class="title">
        <h1>Batches</h1>
        <span class="grow" />
        {can('send') && (
          <a class="button" href={linkTo(['send'])}>
            Send a file
          </a>
        )}
      </div>
      <section class="section" aria-label="Batches, newest first">
        <ReadNote of={read} live />
        {read.data && (
          <>
            <Table<Batch>
              caption="Batches, newest first"
              rows={read.data.data}
              keyOf={({ id }) => id}
              empty="No batch was sent yet."
              columns={[
                {
                  name: 'Batch',
                  show: ({ id, createdAt }) => <a href={linkTo(['batches', id])}>{moment(createdAt)}</a>,
                },
                { name: 'State', show: ({ state }) => <StateMark state={state} /> },
                {
                  name: 'Route',
                  show: ({ route, routePaused, test }) =>
                    `${route}${routePaused ? ' (paused)' : ''}${test ? ' (test)' : ''}`,
                },
                { name: 'Accepted', numeric: true, show: ({ counts }) => count(counts.accepted) },
                { name: 'Progress', show: ({ counts }) => <Progress counts={counts} />, wide: true },
                {
                  name: 'Failed',
                  numeric: true,
                  show: ({ counts }) => count(counts.failed + counts.expired),
                },
                { name: 'Uncertain', numeric: true, show: ({ counts }) => count(counts.uncertain) },
                { name: 'Rejected', numeric: true, show: ({ counts }) => count(counts.rejected) },
                { name: 'Time left', numeric: true, show: (batch) => <TimeLeft batch={batch} /> },
                { name: 'Tags', show: ({ tags }) => tags.join(', ') || '–' },
              ]}
            />
            <Pager path={['batches']} query={{}} after={after} next={read.data.next} />
          </>
        )}
      </section>
    </>
  );
}
