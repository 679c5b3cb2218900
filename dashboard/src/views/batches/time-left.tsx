import type { JSX } from 'preact';
import type { Batch } from '../../api/shapes.ts';
import { duration, moment } from '../../format/time.ts';
import { endedOf } from '../../parts/progress.tsx';
import { useBatchRate } from './use-batch-rate.ts';

/** By how fast messages have come to their end since the page looks. */
export function TimeLeft({ batch }: { batch: Batch }): JSX.Element {
  const perSecond = useBatchRate(batch);
  return <>{timeLeftText(batch, perSecond)}</>;
}

export function timeLeftText(batch: Batch, perSecond: number | null): string {
  const left = batch.counts.accepted - endedOf(batch.counts);
  if (batch.doneAt !== null || (left === 0 && batch.state !== 'open')) return 'done';
  if (batch.state === 'canceled') return 'being canceled';
  if (batch.state === 'paused') return 'paused';
  if (batch.routePaused) return 'route paused';
  if (batch.opensAt !== null) return `opens ${moment(batch.opensAt)}`;
  if (left === 0) return 'open for more';
  if (perSecond === null) return 'measuring…';
  return perSecond > 0 ? duration((1_000 * left) / perSecond) : 'stands still';
}
