import type { MessageDefaults, MessageFields } from '../fields.ts';
import type { CompiledTemplate, TemplateTexts, TemplateVersion } from './compile-template.ts';
import { mergedParams } from './params-problem.ts';
import type { TemplatePins } from './pins.ts';
import { RenderError } from './template-error.ts';

/** A version of a template, ready to be rendered. */
export interface LoadedTemplate extends CompiledTemplate {
  version: number;
  /** What it was made of, for another thread. */
  source: TemplateVersion;
}

/** What renders the messages of a chunk. */
export interface ChunkTemplates {
  /** What the templates that its lines name meant when they were accepted. */
  pins: TemplatePins | null;
  /** By the id of the version. One that is missing was not there to be loaded. */
  byId: ReadonlyMap<number, LoadedTemplate>;
}

/** A message that says what it has to say by a template. */
export interface TemplatedText {
  template: string;
  /** Undefined for a version that is not there. */
  version: number | undefined;
  params: Record<string, unknown>;
  /** @throws RenderError */
  render(): TemplateTexts;
}

/** Undefined for a message that brings its own text, or of which nothing is left. */
export function templatedText(
  own: MessageFields,
  chunk: { defaults: MessageDefaults | undefined; templates?: ChunkTemplates | undefined },
): TemplatedText | undefined {
  const { defaults, templates } = chunk;
  const template = own.template ?? defaults?.template;
  if (template === undefined || own.erased || own.unreadable) return undefined;
  const pin = own.template === undefined ? defaults?.templatePin : templates?.pins?.[template];
  const loaded = pin === undefined ? undefined : templates?.byId.get(pin);
  const params = mergedParams(own.params, defaults?.params);
  return {
    template,
    version: loaded?.version,
    params,
    render() {
      if (!loaded) throw new RenderError('the version of the template is not there');
      return loaded.render(params);
    },
  };
}

/** The ids of the versions that the messages of some chunks need. */
export function templateIdsOf(
  chunks: Iterable<{ defaults: MessageDefaults | undefined; pins: TemplatePins | null | undefined }>,
): number[] {
  const ids = new Set<number>();
  for (const { defaults, pins } of chunks) {
    if (defaults?.templatePin !== undefined) ids.add(defaults.templatePin);
    if (pins) for (const id of Object.values(pins)) ids.add(id);
  }
  return [...ids];
}
