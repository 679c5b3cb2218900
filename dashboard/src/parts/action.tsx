import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { asProblem, type Problem } from '../api/problem.ts';
import { Confirm, type Question } from './confirm.tsx';
import { ProblemNote } from './problem-note.tsx';

/** A button that does something on the server, at once or after a question, and tells what was refused. */
export function Action(props: {
  label: string;
  run: () => Promise<unknown>;
  main?: boolean;
  dangerous?: boolean;
  disabled?: boolean;
  ask?: Pick<Question, 'title' | 'text' | 'action'>;
  /** What has it named to those who do not see where it stands. */
  of?: string;
}): JSX.Element {
  const { label, run, main, dangerous, disabled, ask, of } = props;
  const [busy, setBusy] = useState(false);
  const [asking, setAsking] = useState(false);
  const [problem, setProblem] = useState<Problem>();

  async function begin(): Promise<void> {
    if (ask) return setAsking(true);
    setBusy(true);
    setProblem(undefined);
    try {
      await run();
    } catch (error) {
      setProblem(asProblem(error));
    }
    setBusy(false);
  }

  return (
    <>
      <button
        type="button"
        class={dangerous ? 'danger' : main ? 'main' : ''}
        disabled={busy || disabled}
        aria-busy={busy}
        {...(of !== undefined && { 'aria-label': `${label} ${of}` })}
        onClick={() => void begin()}
      >
        {label}
      </button>
      <ProblemNote problem={problem} />
      {asking && ask && (
        <Confirm question={{ ...ask, run, ...(dangerous && { dangerous }) }} onEnd={() => setAsking(false)} />
      )}
    </>
  );
}
