import type { Http } from '../http.ts';
import type { NewTemplate, Template, TemplatePreview } from '../resources/template.ts';
import type { CallOptions, ListOptions, SignalOptions } from './options.ts';

export type TemplateCalls = ReturnType<typeof templateCalls>;

export function templateCalls(http: Http) {
  const at = (name: string) => `/v1/templates/${encodeURIComponent(name)}`;
  return {
    all: ({ signal, ...query }: ListOptions = {}) =>
      http.items<Template>({ path: '/v1/templates', query, signal }),
    get: (name: string, { version, signal }: SignalOptions & { version?: number } = {}): Promise<Template> =>
      http.value({ path: at(name), query: { version }, signal }),
    create: (template: NewTemplate, options: CallOptions = {}): Promise<Template> =>
      http.value({ method: 'POST', path: '/v1/templates', body: template, ...options }),
    /** Makes a new version. What is left out stays as it is; null takes it away. */
    set: (
      name: string,
      change: { [field in keyof Omit<NewTemplate, 'channel'>]?: NewTemplate[field] | null },
      options: CallOptions = {},
    ): Promise<Template> => http.value({ method: 'PATCH', path: at(name), body: change, ...options }),
    delete: (name: string, options: CallOptions = {}): Promise<void> =>
      http.value({ method: 'DELETE', path: at(name), ...options }),
    /** What it says with these parameters. */
    preview: (
      name: string,
      { signal, ...asked }: SignalOptions & { params?: object; version?: number } = {},
    ): Promise<TemplatePreview> =>
      http.value({ method: 'POST', path: `${at(name)}/preview`, body: asked, signal }),
  };
}
