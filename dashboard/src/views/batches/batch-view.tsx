import type { JSX } from 'preact';
import type { Batch } from '../../api/shapes.ts';
import { usePolled } from '../../api/use-polled.ts';
import { count, rate } from '../../format/number.ts';
import { moment } from '../../format/time.ts';
import { IdText } from '../../parts/id-text.tsx';
import { endedOf, Progress } from '../../parts/progress.tsx';
import { ReadNote } from '../../parts/read-note.tsx';
import { Section } from '../../parts/section.tsx';
import { StateMark } from '../../parts/state-mark.tsx';
import { Tile } from '../../parts/tile.tsx';
import { linkTo } from '../../place.ts';
import { BatchActions } from './batch-actions.tsx';
import { BatchErrorsPart } from './batch-errors-part.tsx';
import { BatchMessagesPart } from './batch-messages-part.tsx';
import { BatchStates } from './batch-states.tsx';
import { RejectionsPart } from './rejections-part.tsx';
import { timeLeftText } from './time-left.tsx';
import { useBatchRate } from './use-batch-rate.ts';

const everyMs = 1_000;
const restingMs = 5_000;

export function BatchView({ id, query }: { id: string; query: URLSearchParams }): JSX.Element {
  const read = usePolled<Batch>(`v1/batches/${encodeURIComponent(id)}`, { everyMs });
  return (
    <>
      <div class="title">
        <h1>Batch</h1>
        {read.data && <StateMark state={read.data.state} />}
        <span class="grow" />
        <a href={linkTo(['batches'])}>All batches</a>
      </div>
      <ReadNote of={read} live />
      {read.data && <Shown batch={read.data} again={read.again} query={query} />}
    </>
  );
}

function Shown({
  batch,
  again,
  query,
}: {
  batch: Batch;
  again: () => void;
  query: URLSearchParams;
}): JSX.Element {
  const { counts } = batch;
  const perSecond = useBatchRate(batch);
  const isOver = batch.doneAt !== null;
  return (
    <>
      <section class="section" aria-label="Progress">
        <IdText id={batch.id} />
        <Progress counts={counts} />
        <BatchActions batch={batch} onDone={again} />
      </section>
      <dl class="tiles">
        <Tile
          label="Accepted"
          value={count(counts.accepted)}
          note={`${counts.rejected === 1 ? '1 line' : `${count(counts.rejected)} lines`} rejected`}
        />
        <Tile label="Ended" value={count(endedOf(counts))} note="in a final state" />
        <Tile label="Rate" value={isOver ? '–' : rate(perSecond)} unit="/s" note="messages that end" />
        <Tile label="Time left" value={timeLeftText(batch, perSecond)} />
      </dl>
      <div class="pair">
        <BatchStates batch={batch} />
        <Facts batch={batch} />
      </div>
      <BatchErrorsPart batch={batch} everyMs={isOver ? restingMs : 3_000} />
      {counts.rejected > 0 && <RejectionsPart batch={batch} />}
      <BatchMessagesPart batch={batch} query={query} />
    </>
  );
}

function Facts({ batch }: { batch: Batch }): JSX.Element {
  const facts: [string, string | null][] = [
    ['Route', batch.routePaused ? `${batch.route} (paused)` : batch.route],
    ['Test', batch.test ? 'made with a test key: nobody gets its messages' : null],
    ['Priority', batch.priority],
    ['Template', batch.template && `${batch.template}, version ${batch.templateVersion}`],
    ['Created', moment(batch.createdAt)],
    ['Closed', batch.closedAt && moment(batch.closedAt)],
    ['Done', batch.doneAt && moment(batch.doneAt)],
    ['Scheduled', batch.scheduledAt && moment(batch.scheduledAt)],
    ['Expires', batch.expiresAt && moment(batch.expiresAt)],
    ['Window opens', batch.opensAt && moment(batch.opensAt)],
    ['Next line', count(batch.nextLine)],
    ['Tags', batch.tags.join(', ') || null],
    ['Metadata', Object.keys(batch.metadata).length > 0 ? JSON.stringify(batch.metadata) : null],
  ];
  return (
    <Section title="What it is">
      <dl class="facts">
        {facts
          .filter(([, value]) => value !== null)
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
      </dl>
    </Section>
  );
}
