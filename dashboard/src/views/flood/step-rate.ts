import type { Statistics } from '../../api/shapes.ts';
import { stepMs } from './ranges.ts';

/** Of less than this a rate says nothing. */
const knownMsMin = 5_000;

/**
 * What happened a second in the step that begins at `at`: of one that runs still, in the part of it that is known. Null where next to
 * nothing is known of it.
 */
export function stepRate(
  count: number,
  { at, step, asOf }: { at: string } & Pick<Statistics, 'step' | 'asOf'>,
): number | null {
  const knownMs = asOf === null ? 0 : Math.min(stepMs[step], Date.parse(asOf) - Date.parse(at));
  return knownMs < knownMsMin ? null : count / (knownMs / 1_000);
}
