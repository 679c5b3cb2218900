import { Type } from 'typebox';
import { ProblemError } from '../../message/error-codes.ts';
import { type TemplateTexts, textNames } from '../../message/templates/compile-template.ts';
import type { Template } from '../../message/templates/template.ts';
import { templateLimits } from '../../message/templates/template-limits.ts';
import { countTemplates, findTemplate, insertTemplate } from '../../store/control/templates.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { controlWrite } from '../control-write.ts';
import {
  checkedNeeds,
  TemplateAnswer,
  TemplateName,
  templateAnswer,
  templateTexts,
} from './template-fields.ts';

const Body = Type.Object(
  {
    name: TemplateName,
    channel: Type.Union([Type.Literal('sms'), Type.Literal('email'), Type.Literal('webhook')]),
    subject: Type.Optional(templateTexts.subject),
    body: Type.Optional(templateTexts.body),
    html: Type.Optional(templateTexts.html),
  },
  { additionalProperties: false },
);

export function createTemplate(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/templates',
    {
      config: { scope: 'manage', errors: ['conflict', 'validation_failed'] },
      schema: {
        summary: 'Make a template',
        description:
          'Its texts are in the language of docs/templates.md. A text that is none is refused with its line and column.',
        tags: ['templates'],
        body: Body,
        response: { 201: TemplateAnswer },
      },
    },
    (request, reply) => {
      const { name, channel, ...texts } = request.body;
      const needs = checkedNeeds(texts, channel);
      const { accountId } = request.caller;
      return controlWrite(
        context,
        { request, reply },
        {
          async change(transaction, { again }) {
            const present = await findTemplate(transaction, { accountId, name });
            const isMine = again && present?.channel === channel && hasTexts(present, texts);
            if (present && !isMine) {
              throw new ProblemError(
                'conflict',
                `the account has a template ${JSON.stringify(name)}: change that`,
              );
            }
            if (!present && (await countTemplates(transaction, accountId)) >= templateLimits.perAccountMax) {
              const most = `an account has ${templateLimits.perAccountMax} templates at most`;
              throw new ProblemError('conflict', `${most}: delete one first`);
            }
            const template =
              present ?? (await insertTemplate(transaction, { accountId, name, channel, texts, needs }));
            return { status: 201, body: templateAnswer(template) };
          },
        },
      );
    },
  );
}

/** Whether these are the texts of its newest version. */
export function hasTexts(template: Template, texts: TemplateTexts): boolean {
  return textNames.every((text) => template[text] === texts[text]);
}
