import type { Channel } from './route.ts';

export interface Template {
  id: string;
  name: string;
  channel: Channel;
  version: number;
  subject?: string;
  body?: string;
  html?: string;
  variables: { required: string[]; optional: string[] };
  createdAt: string;
  changedAt: string;
  /** Only of a template that was asked for by itself. */
  versions?: { version: number; createdAt: string }[];
  [member: string]: unknown;
}

export interface NewTemplate {
  name: string;
  channel: Channel;
  subject?: string;
  body?: string;
  html?: string;
}

export interface TemplatePreview {
  version: number;
  subject?: string;
  body?: string;
  html?: string;
}
