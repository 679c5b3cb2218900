import { compileTemplate, type TemplateVersion } from './compile-template.ts';
import type { LoadedTemplate } from './templated-text.ts';

export type LoadVersions = (keys: { ids: readonly number[] }) => Promise<TemplateVersion[]>;

export interface TemplateCacheSettings {
  load: LoadVersions;
  /** A stored version that this release cannot read: its messages fail, and those of others do not. */
  onError: (error: unknown) => void;
}

/** Characters of the texts that are remembered; in memory, compiled, some ten bytes each. */
const charsMax = 4_194_304;

/** Versions of templates by their ids, in memory once they were needed. They never change. */
export class TemplateCache {
  readonly #settings: TemplateCacheSettings;
  /** In order of use. */
  readonly #kept = new Map<number, { loaded: LoadedTemplate; chars: number }>();
  #chars = 0;

  constructor(settings: TemplateCacheSettings) {
    this.#settings = settings;
  }

  /** These versions, unless some of them must be loaded. */
  peek(ids: readonly number[]): ReadonlyMap<number, LoadedTemplate> | undefined {
    if (ids.length === 0) return noTemplates;
    const found = new Map<number, LoadedTemplate>();
    for (const id of ids) {
      const entry = this.#kept.get(id);
      if (entry === undefined) return undefined;
      this.#kept.delete(id);
      this.#kept.set(id, entry);
      found.set(id, entry.loaded);
    }
    return found;
  }

  /** Those of them that there are. `load` reads from elsewhere than the cache does by itself. */
  async load(
    ids: readonly number[],
    load: LoadVersions = this.#settings.load,
  ): Promise<ReadonlyMap<number, LoadedTemplate>> {
    const kept = this.peek(ids);
    if (kept) return kept;
    const found = new Map<number, LoadedTemplate>();
    const missing: number[] = [];
    for (const id of new Set(ids)) {
      const entry = this.#kept.get(id);
      if (entry) found.set(id, entry.loaded);
      else missing.push(id);
    }
    for (const version of await load({ ids: missing })) {
      const loaded = this.#compile(version);
      if (loaded) found.set(version.id, loaded);
    }
    return found;
  }

  /** These, which somebody else has loaded. */
  take(versions: readonly TemplateVersion[]): ReadonlyMap<number, LoadedTemplate> {
    const found = new Map<number, LoadedTemplate>();
    for (const version of versions) {
      const loaded = this.#kept.get(version.id)?.loaded ?? this.#compile(version);
      if (loaded) found.set(version.id, loaded);
    }
    return found;
  }

  #compile(version: TemplateVersion): LoadedTemplate | undefined {
    try {
      const loaded = { ...compileTemplate(version), version: version.version, source: version };
      this.#keep(version, loaded);
      return loaded;
    } catch (error) {
      this.#settings.onError(error);
      return undefined;
    }
  }

  #keep({ id, subject, body, html }: TemplateVersion, loaded: LoadedTemplate): void {
    const chars = (subject?.length ?? 0) + (body?.length ?? 0) + (html?.length ?? 0);
    // Two loads may have found the same one missing.
    this.#drop(id);
    this.#kept.set(id, { loaded, chars });
    this.#chars += chars;
    for (const oldest of this.#kept.keys()) {
      if (this.#chars <= charsMax) break;
      this.#drop(oldest);
    }
  }

  #drop(id: number): void {
    this.#chars -= this.#kept.get(id)?.chars ?? 0;
    this.#kept.delete(id);
  }
}

const noTemplates: ReadonlyMap<number, LoadedTemplate> = new Map();
