import type { JSX } from 'preact';
import type { Problem } from '../api/problem.ts';

export function ProblemNote({ problem }: { problem: Problem | undefined | null }): JSX.Element | null {
  if (!problem) return null;
  return (
    <p class="note bad" role="alert">
      <b>{problem.code}</b> {problem.detail}
    </p>
  );
}
