import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { call } from '../../api/call.ts';
import { asProblem } from '../../api/problem.ts';
import { can } from '../../api/session.ts';
import { Section } from '../../parts/section.tsx';
import type { SampleMessage } from './sample-messages.ts';

const settleMs = 250;

/** The first messages as they will be sent; those of templates are rendered by the server. */
export function Preview({ messages }: { messages: SampleMessage[] }): JSX.Element {
  return (
    <Section title="The first messages">
      {messages.map((message, index) => (
        // It is the place in the file.
        <Sample message={message} key={index} />
      ))}
    </Section>
  );
}

function Sample({ message }: { message: SampleMessage }): JSX.Element {
  const { to, from, body, template, params, problem } = message;
  const [rendered, setRendered] = useState<{ text: string; failed: boolean }>();
  const asked = template === '' ? '' : JSON.stringify({ template, params });

  useEffect(() => {
    setRendered(undefined);
    if (asked === '' || !can('read')) return;
    const stopped = new AbortController();
    // A choice changes the columns as well: what it comes to is asked for once.
    const timer = setTimeout(() => {
      render(asked, stopped.signal)
        .then((text) => setRendered({ text, failed: false }))
        .catch(
          (error) => stopped.signal.aborted || setRendered({ text: asProblem(error).detail, failed: true }),
        );
    }, settleMs);
    return () => {
      clearTimeout(timer);
      stopped.abort();
    };
  }, [asked]);

  const text = template === '' ? body : (rendered?.text ?? 'Rendering…');
  return (
    <div>
      <p>
        To <b>{to || 'nobody'}</b>
        {from !== '' && ` from ${from}`}
      </p>
      {problem !== undefined && <p class="note warn">{problem}</p>}
      {rendered?.failed ? <p class="note warn">{text}</p> : <pre>{text || '(no text)'}</pre>}
    </div>
  );
}

async function render(asked: string, signal: AbortSignal): Promise<string> {
  const { template, params } = JSON.parse(asked) as Pick<SampleMessage, 'template' | 'params'>;
  const path = `v1/templates/${encodeURIComponent(template)}/preview`;
  const { body, html, subject } = await call<{ body?: string; html?: string; subject?: string }>(
    'POST',
    path,
    {
      body: { params },
      signal,
    },
  );
  return [subject, body ?? html].filter(Boolean).join('\n\n');
}
