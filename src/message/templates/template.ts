import type { Channel } from '../fields.ts';
import type { TemplateTexts } from './compile-template.ts';
import type { TemplateNeeds } from './find-needs.ts';

/** A template of an account, in its newest version. */
export interface Template extends TemplateTexts {
  id: number;
  accountId: number;
  name: string;
  channel: Channel;
  /** Counts from 1. */
  version: number;
  needs: TemplateNeeds;
  createdAt: Date;
  changedAt: Date;
}

/** What intake must know of a template: what its name means now. */
export interface TemplateEntry {
  name: string;
  channel: Channel;
  /** The id of its newest version. */
  pin: number;
  version: number;
  needs: Pick<TemplateNeeds, 'required' | 'optional'>;
}

/** The live templates of an account by their names. */
export type AccountTemplates = ReadonlyMap<string, TemplateEntry>;
