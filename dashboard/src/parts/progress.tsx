import type { JSX } from 'preact';
import type { Batch } from '../api/shapes.ts';
import { count, percent } from '../format/number.ts';

/** What has come to an end, by how; what is left is the empty part of the bar. */
export function Progress({ counts }: { counts: Batch['counts'] }): JSX.Element {
  const { accepted } = counts;
  const ended = endedOf(counts);
  const good = counts.sent + counts.delivered;
  const bad = counts.failed + counts.expired;
  const other = counts.canceled + counts.suppressed + counts.uncertain;
  const share = accepted > 0 ? ended / accepted : 0;
  const width = (messages: number) => ({ width: `${accepted > 0 ? (100 * messages) / accepted : 0}%` });
  return (
    <div class="progress">
      <div
        class="bar"
        role="progressbar"
        aria-label="Messages that have come to an end"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.floor(share * 100)}
        aria-valuetext={`${count(ended)} of ${count(accepted)}`}
      >
        <i class="good" style={width(good)} />
        <i class="bad" style={width(bad)} />
        <i class="other" style={width(other)} />
      </div>
      <span class="figure">{accepted > 0 ? percent(share) : '–'}</span>
    </div>
  );
}

export function endedOf({
  sent,
  delivered,
  failed,
  expired,
  canceled,
  suppressed,
  uncertain,
}: Batch['counts']): number {
  return sent + delivered + failed + expired + canceled + suppressed + uncertain;
}
