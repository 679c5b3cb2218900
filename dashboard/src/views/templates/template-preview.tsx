import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { call } from '../../api/call.ts';
import { asProblem, type Problem } from '../../api/problem.ts';
import type { Template } from '../../api/shapes.ts';
import { InputField } from '../../parts/input-field.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { Section } from '../../parts/section.tsx';

interface Rendered {
  subject?: string;
  body?: string;
  html?: string;
}

const settleMs = 250;

/** As delivery would render it, by the server. */
export function TemplatePreview({ template }: { template: Template }): JSX.Element {
  const { required, optional } = template.variables;
  const names = [...required, ...optional];
  const [params, setParams] = useState<Record<string, string>>(() =>
    Object.fromEntries(required.map((name) => [name, `<${name}>`])),
  );
  const [rendered, setRendered] = useState<Rendered>();
  const [problem, setProblem] = useState<Problem>();

  useEffect(() => {
    const stopped = new AbortController();
    const timer = setTimeout(() => {
      const filled = Object.fromEntries(Object.entries(params).filter(([, value]) => value !== ''));
      call<Rendered>('POST', `v1/templates/${template.id}/preview`, {
        body: { params: filled },
        signal: stopped.signal,
      })
        .then((made) => {
          setRendered(made);
          setProblem(undefined);
        })
        .catch((error) => stopped.signal.aborted || setProblem(asProblem(error)));
    }, settleMs);
    return () => {
      clearTimeout(timer);
      stopped.abort();
    };
  }, [template.id, params]);

  return (
    <Section title="Preview">
      <div class="form">
        {names.map((name) => (
          <InputField
            label={name}
            key={name}
            value={params[name] ?? ''}
            onText={(text) => setParams({ ...params, [name]: text })}
          />
        ))}
      </div>
      <ProblemNote problem={problem} />
      {rendered && !problem && (
        <>
          {rendered.subject !== undefined && <b>{rendered.subject}</b>}
          {rendered.body !== undefined && <pre tabIndex={0}>{rendered.body}</pre>}
          {rendered.html !== undefined && <pre tabIndex={0}>{rendered.html}</pre>}
        </>
      )}
    </Section>
  );
}
