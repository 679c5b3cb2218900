import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import type { Statistics } from '../../api/shapes.ts';
import { usePolled } from '../../api/use-polled.ts';
import { Chart } from '../../charts/chart.tsx';
import { compact } from '../../format/number.ts';
import { latency, moment } from '../../format/time.ts';
import { ReadNote } from '../../parts/read-note.tsx';
import { everyStep } from './every-step.ts';
import { FirstAttempts } from './first-attempts.tsx';
import type { Past } from './ranges.ts';
import { statisticsPath } from './statistics-path.ts';
import { stepRate } from './step-rate.ts';

const everyMs = 30_000;

/** What the server keeps of the past. */
export function PastPart({ past }: { past: Past }): JSX.Element {
  const read = usePolled<Statistics>(statisticsPath(past, { by: 'none' }), { everyMs });
  if (read.problem?.status === 404) {
    return <p class="note warn">This server keeps no statistics: only the last minutes can be shown.</p>;
  }
  const { data } = read;
  const points = data?.series[0]?.points ?? [];
  return (
    <>
      <ReadNote of={read} />
      {data && points.length === 0 && <p class="empty">Nothing was counted in this time.</p>}
      {data && points.length > 0 && <PastCharts statistics={data} />}
      {data && <FirstAttempts past={past} />}
    </>
  );
}

function PastCharts({ statistics }: { statistics: Statistics }): JSX.Element {
  const { step, asOf } = statistics;
  const data = useMemo(() => {
    const steps = everyStep(statistics);
    const perSecond = (name: 'accepted' | 'sent' | 'delivered' | 'failed') =>
      steps.map((point) => stepRate(point[name], { at: point.at, step, asOf }));
    const time = (name: 'p50Ms' | 'p95Ms' | 'p99Ms') =>
      steps.map(({ timeToFirstAttempt }) => timeToFirstAttempt[name]);
    return {
      times: steps.map(({ at }) => Date.parse(at) / 1_000),
      ...{ accepted: perSecond('accepted'), sent: perSecond('sent') },
      ...{ delivered: perSecond('delivered'), failed: perSecond('failed') },
      ...{ p50: time('p50Ms'), p95: time('p95Ms'), p99: time('p99Ms') },
    };
  }, [statistics, step, asOf]);
  return (
    <div class="pair">
      <section class="section" aria-label="Messages a second">
        <Chart
          title={`Messages a second, by ${step}`}
          summary={`As of ${moment(asOf)}.`}
          times={data.times}
          show={compact}
          lines={[
            { name: 'accepted', colour: '--second', values: data.accepted, dash: [6, 4] },
            { name: 'sent', colour: '--accent', values: data.sent, filled: true },
            { name: 'delivered', colour: '--muted', values: data.delivered, dash: [2, 3] },
            { name: 'failed', colour: '--bad', values: data.failed },
          ]}
        />
        <small>as of {moment(asOf)}</small>
      </section>
      <section class="section" aria-label="Time to the first attempt">
        <Chart
          title="Time to the first attempt"
          summary={`The 99th percentile was last ${latency(data.p99.at(-1))}.`}
          times={data.times}
          show={latency}
          lines={[
            { name: 'p50', colour: '--accent', values: data.p50 },
            { name: 'p95', colour: '--second', values: data.p95, dash: [6, 4] },
            { name: 'p99', colour: '--bad', values: data.p99, dash: [2, 3] },
          ]}
        />
      </section>
    </div>
  );
}
