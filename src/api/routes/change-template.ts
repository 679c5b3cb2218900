import { Type } from 'typebox';
import { ProblemError } from '../../message/error-codes.ts';
import { type TemplateTexts, textNames } from '../../message/templates/compile-template.ts';
import { templateLimits } from '../../message/templates/template-limits.ts';
import { addTemplateVersion } from '../../store/control/templates.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { controlWrite } from '../control-write.ts';
import { hasTexts } from './create-template.ts';
import {
  checkedNeeds,
  TemplateAnswer,
  TemplatePlace,
  templateAnswer,
  templateAt,
  templateTexts,
} from './template-fields.ts';

const Body = Type.Object(
  {
    subject: Type.Optional(Type.Union([templateTexts.subject, Type.Null()])),
    body: Type.Optional(Type.Union([templateTexts.body, Type.Null()])),
    html: Type.Optional(Type.Union([templateTexts.html, Type.Null()])),
  },
  { additionalProperties: false },
);

export function changeTemplate(app: ApiInstance, context: ApiContext): void {
  app.patch(
    '/v1/templates/:id',
    {
      config: { scope: 'manage', errors: ['not_found', 'conflict', 'validation_failed'] },
      schema: {
        summary: 'Make a new version of a template',
        description:
          'Texts left out stay as they are, null takes one away; what changes nothing makes no version. What was accepted ' +
          'before keeps the version that it was accepted with.',
        tags: ['templates'],
        params: TemplatePlace,
        body: Body,
        response: { 200: TemplateAnswer },
      },
    },
    (request, reply) => {
      const { accountId } = request.caller;
      return controlWrite(
        context,
        { request, reply },
        {
          async change(transaction) {
            const present = await templateAt(transaction, { accountId, place: request.params.id });
            const texts = changedTexts(present, request.body);
            const needs = checkedNeeds(texts, present.channel);
            if (hasTexts(present, texts)) return { status: 200, body: templateAnswer(present) };
            if (present.version >= templateLimits.versionsMax) {
              const most = `a template has ${templateLimits.versionsMax} versions at most`;
              throw new ProblemError('conflict', `${most}: delete it and make it again under its name`);
            }
            const template = await addTemplateVersion(transaction, { template: present, texts, needs });
            return { status: 200, body: templateAnswer(template) };
          },
        },
      );
    },
  );
}

function changedTexts(
  present: TemplateTexts,
  change: { [Name in keyof TemplateTexts]?: string | null },
): TemplateTexts {
  const texts: TemplateTexts = {};
  for (const name of textNames) {
    const text = change[name] === undefined ? present[name] : change[name];
    if (text !== undefined && text !== null) texts[name] = text;
  }
  return texts;
}
