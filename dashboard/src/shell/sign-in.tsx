import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { tryKey } from '../api/call.ts';
import { asProblem, type Problem } from '../api/problem.ts';
import { type Caller, caller, rememberKey, signedOutBecause } from '../api/session.ts';
import { InputField } from '../parts/input-field.tsx';
import { ProblemNote } from '../parts/problem-note.tsx';
import { Brand } from './brand.tsx';

export function SignIn(): JSX.Element {
  const [key, setKey] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();

  async function enter(event: Event): Promise<void> {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    try {
      const found = (await tryKey(key.trim())) as Caller;
      caller.value = found;
      rememberKey(key.trim());
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  }

  document.title = 'Sign in · Millrace';
  return (
    <main class="sign-in">
      <form onSubmit={(event) => void enter(event)}>
        <Brand />
        <h1>Sign in</h1>
        {signedOutBecause.value !== null && <p class="note warn">{signedOutBecause.value}</p>}
        <InputField
          label="API key"
          hint="It stays in this tab and is forgotten when that is closed. An administrator's first key is in admin.key of the data directory."
          type="password"
          autocomplete="off"
          spellcheck={false}
          required
          value={key}
          onText={setKey}
        />
        <ProblemNote problem={problem} />
        <button type="submit" class="main" disabled={busy || key.trim() === ''}>
          Sign in
        </button>
      </form>
    </main>
  );
}
