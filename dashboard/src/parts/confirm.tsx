import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { asProblem, type Problem } from '../api/problem.ts';
import { ProblemNote } from './problem-note.tsx';

export interface Question {
  title: string;
  text: ComponentChildren;
  /** What the button that does it says. */
  action: string;
  dangerous?: boolean;
  run: () => Promise<unknown>;
}

/** Asks before it does. The dialog is the browser's own: it holds the focus and ends with Escape. */
export function Confirm({ question, onEnd }: { question: Question; onEnd: () => void }): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();

  useEffect(() => dialog.current?.showModal(), []);

  async function run(): Promise<void> {
    setBusy(true);
    setProblem(undefined);
    try {
      await question.run();
      onEnd();
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  }

  return (
    <dialog
      ref={dialog}
      // What is being done is not undone by looking away, and how it ends is told here. A browser lets `cancel` be
      // prevented once: at a second Escape it closes the dialog all the same.
      onClose={() => (busy ? dialog.current?.showModal() : onEnd())}
      onCancel={(event) => busy && event.preventDefault()}
      aria-labelledby="question"
    >
      <h2 id="question">{question.title}</h2>
      <div>{question.text}</div>
      <ProblemNote problem={problem} />
      <p class="actions">
        <button type="button" onClick={onEnd} disabled={busy}>
          Go back
        </button>
        <button
          type="button"
          class={question.dangerous ? 'danger' : 'main'}
          onClick={() => void run()}
          disabled={busy}
        >
          {question.action}
        </button>
      </p>
    </dialog>
  );
}
