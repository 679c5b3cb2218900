import type { JSX } from 'preact';
import type { LiveView, LiveWorker } from '../../api/shapes.ts';
import { count } from '../../format/number.ts';
import { Section } from '../../parts/section.tsx';
import { StateMark } from '../../parts/state-mark.tsx';
import { Table } from '../../parts/table.tsx';

/** Who owns the shards; what nobody owns is not delivered. */
export function WorkersPart({ view }: { view: LiveView }): JSX.Element | null {
  const { workers, unownedShards } = view;
  if (workers === null) return null;
  return (
    <Section title="Workers" aside="owners of the 1,024 shards">
      {unownedShards !== null && unownedShards > 0 && (
        <p class="note bad">
          <b>{count(unownedShards)} shards have no owner:</b> what is in them is not delivered until a worker
          takes them.
        </p>
      )}
      <Table<LiveWorker>
        caption="Workers and the shards that they own"
        rows={workers}
        keyOf={({ id }) => id}
        empty="No worker runs: nothing is delivered."
        columns={[
          { name: 'Host', show: ({ host }) => host, wide: true },
          { name: 'Process', numeric: true, show: ({ pid }) => String(pid) },
          { name: 'Shards', numeric: true, show: ({ shards }) => count(shards) },
          { name: 'State', show: (worker) => <StateMark state={stateOf(worker)} /> },
        ]}
      />
    </Section>
  );
}

function stateOf({ leaving, reporting }: LiveWorker): string {
  return leaving ? 'leaving' : reporting ? 'reporting' : 'silent';
}
