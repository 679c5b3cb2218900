import type { JSX } from 'preact';
import { can } from '../../api/session.ts';
import type { Page, Template } from '../../api/shapes.ts';
import { usePolled } from '../../api/use-polled.ts';
import { count } from '../../format/number.ts';
import { moment } from '../../format/time.ts';
import { Pager } from '../../parts/pager.tsx';
import { ReadNote } from '../../parts/read-note.tsx';
import { Table } from '../../parts/table.tsx';
import { linkTo } from '../../place.ts';

export function TemplatesView({ query }: { query: URLSearchParams }): JSX.Element {
  const after = query.get('after');
  const search = new URLSearchParams({ limit: '50', ...(after !== null && { after }) });
  const read = usePolled<Page<Template>>(`v1/templates?${search}`);
  return (
    <>
      <div class="title">
        <h1>Templates</h1>
        <span class="grow" />
        {can('manage') && (
          <a class="button" href={linkTo(['templates', ' new'])}>
            New template
          </a>
        )}
      </div>
      <section class="section" aria-label="Templates">
        <ReadNote of={read} />
        {read.data && (
          <>
            <Table<Template>
              caption="Templates"
              rows={read.data.data}
              keyOf={({ id }) => id}
              empty="There is no template yet."
              columns={[
                {
                  name: 'Template',
                  show: ({ name }) => <a href={linkTo(['templates', name])}>{name}</a>,
                  wide: true,
                },
                { name: 'Channel', show: ({ channel }) => channel },
                { name: 'Version', numeric: true, show: ({ version }) => count(version) },
                { name: 'Needs', show: ({ variables }) => variables.required.join(', ') || '–' },
                { name: 'Changed', show: ({ changedAt }) => moment(changedAt) },
              ]}
            />
            <Pager path={['templates']} query={{}} after={after} next={read.data.next} />
          </>
        )}
      </section>
    </>
  );
}
