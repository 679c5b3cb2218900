import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { call } from '../../api/call.ts';
import type { Route } from '../../api/shapes.ts';
import { latency } from '../../format/time.ts';
import { Action } from '../../parts/action.tsx';
import { InputField } from '../../parts/input-field.tsx';
import { Section } from '../../parts/section.tsx';
import { StateMark } from '../../parts/state-mark.tsx';

interface Result {
  result: 'sent' | 'rejected' | 'retry' | 'uncertain';
  providerRef?: string;
  error?: { code: string; detail: string };
  elapsedMs: number;
}

/** One message past everything, to see what the provider says. */
export function TestForm({ route }: { route: Route }): JSX.Element {
  const [to, setTo] = useState('');
  const [body, setBody] = useState('');
  const [result, setResult] = useState<Result>();

  async function test(): Promise<void> {
    setResult(undefined);
    const path = `v1/routes/${encodeURIComponent(route.name)}/test`;
    setResult(await call<Result>('POST', path, { body: { to, ...(body !== '' && { body }) } }));
  }

  return (
    <Section title="Test send">
      <div class="form">
        <InputField label="To" value={to} onText={setTo} />
        <InputField label="Text" hint="“Test message” when empty" value={body} onText={setBody} />
      </div>
      <div class="actions">
        <Action
          label="Send a test"
          disabled={to === ''}
          run={test}
          ask={{
            title: 'Send one message now?',
            text: `It really goes to ${to} through ${route.name}, also while the route is paused.`,
            action: 'Send it',
          }}
        />
      </div>
      {result && (
        <p role="status">
          <StateMark state={result.result} /> after {latency(result.elapsedMs)}
          {result.providerRef !== undefined && `, the provider calls it ${result.providerRef}`}
          {result.error && `: ${result.error.code}: ${result.error.detail}`}
        </p>
      )}
    </Section>
  );
}
