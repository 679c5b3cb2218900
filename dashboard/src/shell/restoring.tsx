import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { tryKey } from '../api/call.ts';
import { asProblem, type Problem, triedAgain } from '../api/problem.ts';
import { apiKey, type Caller, caller, signOut } from '../api/session.ts';
import { ProblemNote } from '../parts/problem-note.tsx';

const againMs = 3_000;

/** The page was loaded anew with a key in its tab: whose is it, and is it still good? */
export function Restoring(): JSX.Element {
  const [problem, setProblem] = useState<Problem>();

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let ended = false;
    const look = async () => {
      try {
        const found = (await tryKey(apiKey.value ?? '')) as Caller;
        if (!ended) caller.value = found;
      } catch (error) {
        if (ended) return;
        const told = asProblem(error);
        if (told.status === 401) return signOut(told.detail);
        setProblem(triedAgain(told));
        timer = setTimeout(() => void look(), againMs);
      }
    };
    void look();
    return () => {
      ended = true;
      clearTimeout(timer);
    };
  }, []);

  return (
    <main class="sign-in">
      <div>
        <p role="status">Looking up this key…</p>
        <ProblemNote problem={problem} />
      </div>
    </main>
  );
}
