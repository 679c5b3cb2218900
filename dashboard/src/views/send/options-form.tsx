import type { JSX } from 'preact';
import { can } from '../../api/session.ts';
import type { Page, Route, Template } from '../../api/shapes.ts';
import { usePolled } from '../../api/use-polled.ts';
import { Field } from '../../parts/field.tsx';
import type { SendOptions } from './send-options.ts';

export function OptionsForm(props: {
  options: SendOptions;
  templates: Template[];
  onChange: (options: SendOptions) => void;
}): JSX.Element {
  const { options, templates, onChange } = props;
  const { data } = usePolled<Page<Route>>(can('read') ? 'v1/routes?limit=200' : null);
  const routes = data?.data.filter(({ name }) => name !== 'callbacks') ?? [];
  const set = (name: keyof SendOptions) => (event: { currentTarget: { value: string } }) =>
    onChange({ ...options, [name]: event.currentTarget.value });
  return (
    <div class="form">
      <Field label="Route">
        {(attributes) =>
          can('read') ? (
            <select {...attributes} required value={options.route} onChange={set('route')}>
              <option value="">choose…</option>
              {routes.map(({ name, channel }) => (
                <option value={name} key={name}>
                  {channel ? `${name} (${channel})` : name}
                </option>
              ))}
            </select>
          ) : (
            <input {...attributes} required value={options.route} onInput={set('route')} />
          )
        }
      </Field>
      <Field label="From" hint="of lines that do not say it">
        {(attributes) => <input {...attributes} value={options.from} onInput={set('from')} />}
      </Field>
      {templates.length > 0 && (
        <Field label="Template" hint="says the text; its parameters come from columns">
          {(attributes) => (
            <select {...attributes} value={options.template} onChange={set('template')}>
              <option value="">none</option>
              {templates.map(({ name, channel }) => (
                <option value={name} key={name}>
                  {name} ({channel})
                </option>
              ))}
            </select>
          )}
        </Field>
      )}
      <Field label="Tags" hint="with commas between">
        {(attributes) => <input {...attributes} value={options.tags} onInput={set('tags')} />}
      </Field>
      <Field label="Delivery begins">
        {(attributes) => (
          <select {...attributes} value={options.start} onChange={set('start')}>
            <option value="now">with the first lines</option>
            <option value="close">when all of the file is there</option>
          </select>
        )}
      </Field>
      <Field label="Not before" hint="in your own time zone; empty for at once">
        {(attributes) => (
          <input
            {...attributes}
            type="datetime-local"
            value={options.scheduledAt}
            onInput={set('scheduledAt')}
          />
        )}
      </Field>
      {options.template === '' && (
        <div class="all">
          <Field label="Text" hint="of lines that do not say it">
            {(attributes) => <textarea {...attributes} value={options.body} onInput={set('body')} />}
          </Field>
        </div>
      )}
    </div>
  );
}
