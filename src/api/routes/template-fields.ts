import { Type } from 'typebox';
import { type ErrorItem, ProblemError } from '../../message/error-codes.ts';
import type { Channel } from '../../message/fields.ts';
import { checkTexts, type TemplateTexts, textNames } from '../../message/templates/compile-template.ts';
import type { TemplateNeeds } from '../../message/templates/find-needs.ts';
import type { Template } from '../../message/templates/template.ts';
import { templateLimits } from '../../message/templates/template-limits.ts';
import { findTemplate, type TemplateKey } from '../../store/control/templates.ts';
import type { Queryable } from '../../store/database.ts';
import { invalid } from '../validation.ts';
import { parseAccountId } from './account-fields.ts';

const { subjectCharsMax, textCharsMax, nameCharsMax } = templateLimits;

/** Begins with a letter, so that no name is an id. */
export const TemplateName = Type.String({
  pattern: `^[A-Za-z][A-Za-z0-9_.-]{0,${nameCharsMax - 1}}$`,
  'x-detail': `must be a letter, then letters, digits, "_", "." and "-", ${nameCharsMax} at most`,
  description: `a letter, then letters, digits, "_", "." and "-", ${nameCharsMax} at most`,
});

export const templateTexts = {
  subject: Type.String({ maxLength: subjectCharsMax, description: 'of the channel `email` alone' }),
  body: Type.String({ maxLength: textCharsMax }),
  html: Type.String({
    maxLength: textCharsMax,
    description: 'of the channel `email` alone; what is filled in is escaped',
  }),
};

const Time = Type.String({ format: 'date-time' });

const answerMembers = {
  id: Type.String(),
  name: Type.String(),
  channel: Type.Union([Type.Literal('sms'), Type.Literal('email'), Type.Literal('webhook')]),
  version: Type.Integer({ description: 'the number of its newest version' }),
  subject: Type.Optional(Type.String()),
  body: Type.Optional(Type.String()),
  html: Type.Optional(Type.String()),
  variables: Type.Object(
    { required: Type.Array(Type.String()), optional: Type.Array(Type.String()) },
    { description: '`required`: a message that lacks one is rejected' },
  ),
  createdAt: Time,
  changedAt: Time,
};

export const TemplateAnswer = Type.Object(answerMembers);

export const TemplateWithVersions = Type.Object({
  ...answerMembers,
  versions: Type.Array(Type.Object({ version: Type.Integer(), createdAt: Time }), {
    description: 'the newest first, 100 at most',
  }),
});

/** Where a template is named in a path. */
export const TemplatePlace = Type.Object({ id: Type.String({ description: 'the id or the name' }) });

export function templateAnswer(template: Template) {
  const { id, name, channel, version, createdAt, changedAt, needs } = template;
  const texts = textNames.flatMap((text) => (template[text] === undefined ? [] : [[text, template[text]]]));
  return {
    ...{ id: String(id), name, channel, version },
    ...(Object.fromEntries(texts) as TemplateTexts),
    variables: variablesOf(needs),
    createdAt: createdAt.toISOString(),
    changedAt: changedAt.toISOString(),
  };
}

export function variablesOf({ required, optional, asked }: TemplateNeeds) {
  return { required, optional: [...optional, ...asked].sort() };
}

/**
 * The template of a path, which is an id or a name.
 * @throws ProblemError `not_found`, also for another account's
 */
export async function templateAt(
  database: Queryable,
  { accountId, place }: { accountId: number; place: string },
): Promise<Template> {
  const id = parseAccountId(place);
  const key: TemplateKey = id === null ? { accountId, name: place } : { accountId, id };
  // What no text of PostgreSQL can hold is no name.
  const template = place.includes('\0') ? undefined : await findTemplate(database, key);
  if (!template) throw new ProblemError('not_found', 'there is no such template');
  return template;
}

/**
 * What messages must bring for these texts.
 * @throws ProblemError `validation_failed` with the place of each fault
 */
export function checkedNeeds(texts: TemplateTexts, channel: Channel): TemplateNeeds {
  const errors = misplaced(texts, channel);
  const { problems, needs, filters } = checkTexts(texts);
  for (const { text, line, column, detail } of problems) {
    const place = `line ${line}, column ${column}`;
    errors.push({ pointer: `/${text}`, code: 'invalid_template', detail: `${place}: ${detail}` });
  }
  if (needs && errors.length === 0) errors.push(...tooMany(needs, filters));
  if (!needs || errors.length > 0) throw invalid('body', errors);
  return needs;
}

function misplaced(texts: TemplateTexts, channel: Channel): ErrorItem[] {
  const errors: ErrorItem[] = [];
  if (channel !== 'email') {
    for (const text of ['subject', 'html'] as const) {
      if (texts[text] === undefined) continue;
      errors.push({ pointer: `/${text}`, code: 'wrong_channel', detail: 'is only for the channel email' });
    }
  }
  if (texts.body === undefined && (channel !== 'email' || texts.html === undefined)) {
    const detail = channel === 'email' ? 'is required, or "html"' : 'is required';
    errors.push({ pointer: '/body', code: 'required', detail });
  }
  return errors;
}

function tooMany({ required, optional, asked }: TemplateNeeds, filters: number): ErrorItem[] {
  const { variablesMax, filtersMax } = templateLimits;
  const variables = required.length + optional.length + asked.length;
  const details: string[] = [];
  if (variables > variablesMax)
    details.push(`has ${variables} different variables; the limit is ${variablesMax}`);
  if (filters > filtersMax) details.push(`has ${filters} filters; the limit is ${filtersMax}`);
  return details.map((detail) => ({ pointer: '', code: 'too_long', detail }));
}
