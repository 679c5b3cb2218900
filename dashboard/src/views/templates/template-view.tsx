import type { JSX } from 'preact';
import { call } from '../../api/call.ts';
import { can } from '../../api/session.ts';
import type { Template } from '../../api/shapes.ts';
import { usePolled } from '../../api/use-polled.ts';
import { Action } from '../../parts/action.tsx';
import { ReadNote } from '../../parts/read-note.tsx';
import { goTo, linkTo } from '../../place.ts';
import { TemplateForm } from './template-form.tsx';
import { TemplatePreview } from './template-preview.tsx';

/** No template can have this name: names begin with a letter. */
const newName = ' new';

export function TemplateView({ name }: { name: string }): JSX.Element {
  const isNew = name === newName;
  const path = `v1/templates/${encodeURIComponent(name)}`;
  const read = usePolled<Template>(isNew ? null : path);
  const template = read.data;

  async function remove(): Promise<void> {
    await call('DELETE', path);
    goTo(['templates']);
  }

  return (
    <>
      <div class="title">
        <h1>{isNew ? 'New template' : name}</h1>
        <span class="grow" />
        <a href={linkTo(['templates'])}>All templates</a>
        {template && can('manage') && (
          <Action
            label="Delete"
            dangerous
            run={remove}
            ask={{
              title: `Delete the template ${name}?`,
              text: 'What was accepted with it is still rendered by the version that it had then.',
              action: 'Delete it',
            }}
          />
        )}
      </div>
      {!isNew && <ReadNote of={read} />}
      {(isNew || template) && (
        <div class="pair">
          <TemplateForm template={template} onSaved={read.again} key={template?.version} />
          {template && <TemplatePreview template={template} key={template.version} />}
        </div>
      )}
    </>
  );
}
