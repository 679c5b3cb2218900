import type { AccountTemplates, TemplateEntry } from '../message/templates/template.ts';

/** The templates of an account as they go to the threads that pack: in memory that they all read, not copied with each slot. */
export interface SharedTemplates {
  /** Other templates have another one. */
  key: number;
  bytes: SharedArrayBuffer;
}

const shared = new WeakMap<AccountTemplates, SharedTemplates>();
let lastKey = 0;

/** Undefined where the account has none. */
export function shareTemplates(templates: AccountTemplates): SharedTemplates | undefined {
  if (templates.size === 0) return undefined;
  const known = shared.get(templates);
  if (known) return known;
  const text = Buffer.from(JSON.stringify([...templates.values()]));
  const bytes = new SharedArrayBuffer(text.length);
  text.copy(Buffer.from(bytes));
  const made = { key: ++lastKey, bytes };
  shared.set(templates, made);
  return made;
}

/** Accounts whose templates a thread remembers. */
const rememberedMax = 16;
const remembered = new Map<number, AccountTemplates>();
const none: AccountTemplates = new Map();

export function readTemplates(from: SharedTemplates | undefined): AccountTemplates {
  if (from === undefined) return none;
  const known = remembered.get(from.key);
  if (known) return known;
  const entries = JSON.parse(Buffer.from(from.bytes).toString()) as TemplateEntry[];
  const templates = new Map(entries.map((entry) => [entry.name, entry]));
  remembered.set(from.key, templates);
  for (const oldest of remembered.keys()) {
    if (remembered.size <= rememberedMax) break;
    remembered.delete(oldest);
  }
  return templates;
}
