import type { JSX } from 'preact';
import type { Lane, LiveView } from '../../api/shapes.ts';
import { count, percent, rate } from '../../format/number.ts';
import { duration } from '../../format/time.ts';
import { Section } from '../../parts/section.tsx';
import { Table } from '../../parts/table.tsx';

export function LanesPart({ view }: { view: LiveView }): JSX.Element {
  const { lanes, lanesTotal, accounts } = view;
  const atMs = Date.parse(view.at);
  const aside =
    lanes.length < lanesTotal ? `the deepest ${count(lanes.length)} of ${count(lanesTotal)}` : undefined;
  return (
    <Section title="Lanes" {...(aside !== undefined && { aside })}>
      <Table<Lane>
        caption="What waits and flows, by account, route and priority; the deepest first"
        rows={lanes}
        keyOf={({ accountId, route, priority }) => `${accountId} ${route} ${priority}`}
        empty="Nothing waits and nothing leaves."
        columns={[
          { name: 'Account', show: ({ accountId }) => accounts[accountId] ?? accountId, wide: true },
          { name: 'Route', show: ({ route }) => route },
          { name: 'Priority', show: ({ priority }) => priority },
          { name: 'Waiting', numeric: true, show: ({ queued }) => count(queued) },
          { name: 'Held', numeric: true, show: ({ held }) => (held === 0 ? '–' : count(held)) },
          {
            name: 'For destinations',
            numeric: true,
            show: ({ aside: messages }) => (messages === 0 ? '–' : count(messages)),
          },
          {
            name: 'Oldest',
            numeric: true,
            show: ({ oldestDueAt }) =>
              oldestDueAt === null ? '–' : duration(atMs - Date.parse(oldestDueAt)),
          },
          { name: 'Sent /s', numeric: true, show: ({ sentPerSecond }) => rate(sentPerSecond) },
          { name: 'Share', numeric: true, show: ({ share }) => percent(share) },
        ]}
      />
    </Section>
  );
}
