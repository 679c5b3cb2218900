import { type Static, Type } from 'typebox';
import { ProblemError } from '../../message/error-codes.ts';
import { limits } from '../../message/limits.ts';
import { compileTemplate } from '../../message/templates/compile-template.ts';
import { paramsProblem } from '../../message/templates/params-problem.ts';
import { RenderError } from '../../message/templates/template-error.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { invalid } from '../validation.ts';
import { inVersion, VersionNumber } from './show-template.ts';
import { TemplatePlace, templateAt } from './template-fields.ts';

const Body = Type.Object(
  {
    params: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    version: Type.Optional(VersionNumber),
  },
  { additionalProperties: false },
);

const PreviewAnswer = Type.Object({
  version: Type.Integer(),
  subject: Type.Optional(Type.String()),
  body: Type.Optional(Type.String()),
  html: Type.Optional(Type.String()),
});

/** Renders as delivery does, and keeps nothing. */
export function previewTemplate(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/templates/:id/preview',
    {
      config: { scope: 'read', errors: ['not_found', 'validation_failed'] },
      schema: {
        summary: 'See what a template makes of parameters',
        tags: ['templates'],
        params: TemplatePlace,
        body: Body,
        response: { 200: PreviewAnswer },
      },
    },
    async ({ params: { id }, body, caller }): Promise<Static<typeof PreviewAnswer>> => {
      const { params = {}, version } = body;
      refuseLarge(params);
      const newest = await templateAt(context.database, { accountId: caller.accountId, place: id });
      const template = await inVersion(context.database, newest, version);
      const problem = paramsProblem(template.needs, { own: params, defaults: undefined });
      if (problem) {
        const wrong =
          problem.code === 'missing_params' ? 'is missing' : 'must be a text, a number, true or false';
        throw invalid(
          'body',
          problem.names.map((name) => ({
            pointer: '/params',
            code: problem.code,
            detail: `"${name}" ${wrong}`,
          })),
        );
      }
      return { version: template.version, ...rendered(template, params) };
    },
  );
}

/** No message brings more than its line holds. */
function refuseLarge(params: Record<string, unknown>): void {
  if (Buffer.byteLength(JSON.stringify(params)) <= limits.lineBytesMax) return;
  const detail = `is larger than ${limits.lineBytesMax} bytes`;
  throw invalid('body', [{ pointer: '/params', code: 'too_long', detail }]);
}

function rendered(template: Parameters<typeof compileTemplate>[0], params: Record<string, unknown>) {
  try {
    return compileTemplate(template).render(params);
  } catch (error) {
    if (!(error instanceof RenderError)) throw error;
    throw new ProblemError('validation_failed', `This cannot be rendered: ${error.message}.`);
  }
}
