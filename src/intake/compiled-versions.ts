import type { TemplateVersion } from '../message/templates/compile-template.ts';
import { TemplateCache } from '../message/templates/template-cache.ts';
import type { LoadedTemplate } from '../message/templates/templated-text.ts';

/** Compiled once for a thread. A version that this release cannot read is left out: its messages cannot be sent. */
const cache = new TemplateCache({ load: async () => [], onError: () => {} });

/** By their ids. */
export function compiledVersions(versions: readonly TemplateVersion[]): ReadonlyMap<number, LoadedTemplate> {
  return cache.take(versions);
}
