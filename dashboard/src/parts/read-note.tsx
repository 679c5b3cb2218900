import type { JSX } from 'preact';
import { nowMs } from '../api/live.ts';
import type { Polled } from '../api/use-polled.ts';
import { duration } from '../format/time.ts';
import { ProblemNote } from './problem-note.tsx';

/** Seconds that figures which are looked at again and again may be old before that is worth a word. */
const oldMs = 6_000;

/** How old what is shown is, once that matters, and why. */
export function ReadNote({ of, live = false }: { of: Polled<unknown>; live?: boolean }): JSX.Element {
  const { data, problem, readMs } = of;
  const ageMs = readMs === undefined ? 0 : nowMs.value - readMs;
  const isOld = live && data !== undefined && (ageMs > oldMs || problem !== undefined);
  return (
    <>
      <ProblemNote problem={problem} />
      {isOld && (
        <p class="note warn" role="status">
          What is shown is {duration(ageMs)} old.
        </p>
      )}
      {data === undefined && !problem && (
        <p class="empty" role="status">
          Loading…
        </p>
      )}
    </>
  );
}
