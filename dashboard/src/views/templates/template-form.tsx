import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { call } from '../../api/call.ts';
import { can } from '../../api/session.ts';
import type { Template } from '../../api/shapes.ts';
import { Action } from '../../parts/action.tsx';
import { Field } from '../../parts/field.tsx';
import { InputField } from '../../parts/input-field.tsx';
import { Section } from '../../parts/section.tsx';
import { goTo } from '../../place.ts';

/** What a template says; saved, it is a new version. */
export function TemplateForm(props: { template: Template | undefined; onSaved: () => void }): JSX.Element {
  const { template, onSaved } = props;
  const [name, setName] = useState('');
  const [channel, setChannel] = useState<Template['channel']>(template?.channel ?? 'sms');
  const [subject, setSubject] = useState(template?.subject ?? '');
  const [body, setBody] = useState(template?.body ?? '');
  const [html, setHtml] = useState(template?.html ?? '');
  const isMail = channel === 'email';

  async function save(): Promise<void> {
    const texts = {
      ...(body !== '' && { body }),
      ...(isMail && subject !== '' && { subject }),
      ...(isMail && html !== '' && { html }),
    };
    if (template) {
      await call('PATCH', `v1/templates/${template.id}`, { body: texts });
      onSaved();
    } else {
      await call('POST', 'v1/templates', { body: { name, channel, ...texts } });
      goTo(['templates', name]);
    }
  }

  return (
    <Section title="Text" {...(template && { aside: `version ${template.version}` })}>
      {!template && (
        <div class="form">
          <InputField label="Name" hint="a letter first" value={name} onText={setName} />
          <Field label="Channel">
            {(attributes) => (
              <select
                {...attributes}
                value={channel}
                onChange={({ currentTarget }) => setChannel(currentTarget.value as Template['channel'])}
              >
                <option>sms</option>
                <option>email</option>
                <option>webhook</option>
              </select>
            )}
          </Field>
        </div>
      )}
      {isMail && <InputField label="Subject" value={subject} onText={setSubject} />}
      <Field label="Body" hint="{{ name }} is filled in">
        {(attributes) => (
          <textarea
            {...attributes}
            value={body}
            onInput={({ currentTarget }) => setBody(currentTarget.value)}
          />
        )}
      </Field>
      {isMail && (
        <Field label="HTML">
          {(attributes) => (
            <textarea
              {...attributes}
              value={html}
              onInput={({ currentTarget }) => setHtml(currentTarget.value)}
            />
          )}
        </Field>
      )}
      {can('manage') && (
        <div class="actions">
          <Action label={template ? 'Save as a new version' : 'Make the template'} main run={save} />
        </div>
      )}
    </Section>
  );
}
