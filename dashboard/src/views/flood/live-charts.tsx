import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { type LivePoint, points } from '../../api/live.ts';
import { Chart } from '../../charts/chart.tsx';
import { compact, count, rate } from '../../format/number.ts';

/** Of the last five minutes, since the page watches. */
export function LiveCharts(): JSX.Element {
  const shown = points.value;
  const data = useMemo(() => columnsOf(shown), [shown]);
  const last = shown.at(-1);
  return (
    <div class="pair">
      <section class="section" aria-label="Messages a second">
        <Chart
          title="Messages a second"
          summary={`Now ${rate(last?.accepted)} accepted, ${rate(last?.sent)} sent, ${rate(last?.delivered)} delivered and ${rate(last?.failed)} failed a second.`}
          times={data.times}
          show={compact}
          lines={[
            { name: 'accepted', colour: '--second', values: data.accepted, dash: [6, 4] },
            { name: 'sent', colour: '--accent', values: data.sent, filled: true },
            { name: 'delivered', colour: '--muted', values: data.delivered, dash: [2, 3] },
            { name: 'failed', colour: '--bad', values: data.failed },
          ]}
        />
      </section>
      <section class="section" aria-label="Messages waiting">
        <Chart
          title="Messages waiting"
          summary={`Now ${count(last?.queued)} wait.`}
          times={data.times}
          show={compact}
          lines={[{ name: 'waiting', colour: '--accent', values: data.queued, filled: true }]}
        />
      </section>
    </div>
  );
}

function columnsOf(shown: LivePoint[]) {
  const column = (name: keyof LivePoint) => shown.map((point) => point[name]);
  return {
    times: column('atSeconds'),
    accepted: column('accepted'),
    sent: column('sent'),
    delivered: column('delivered'),
    failed: column('failed'),
    queued: column('queued'),
  };
}
