import { type Static, Type } from 'typebox';
import { ProblemError } from '../../message/error-codes.ts';
import type { Template } from '../../message/templates/template.ts';
import { findTemplateVersion, listTemplateVersions } from '../../store/control/templates.ts';
import type { Queryable } from '../../store/database.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { TemplatePlace, TemplateWithVersions, templateAnswer, templateAt } from './template-fields.ts';

const versionsShown = 100;

export const VersionNumber = Type.Integer({
  minimum: 1,
  maximum: 1_000_000,
  description: 'the newest when absent',
});

export function showTemplate(app: ApiInstance, context: ApiContext): void {
  app.get(
    '/v1/templates/:id',
    {
      config: { scope: 'read', errors: ['not_found'] },
      schema: {
        summary: 'A template with its versions',
        tags: ['templates'],
        params: TemplatePlace,
        querystring: Type.Object({ version: Type.Optional(VersionNumber) }, { additionalProperties: false }),
        response: { 200: TemplateWithVersions },
      },
    },
    async ({ params, query, caller }): Promise<Static<typeof TemplateWithVersions>> => {
      const { database } = context;
      const newest = await templateAt(database, { accountId: caller.accountId, place: params.id });
      const template = await inVersion(database, newest, query.version);
      const versions = await listTemplateVersions(database, { id: newest.id, limit: versionsShown });
      return {
        ...templateAnswer(template),
        versions: versions.map(({ version, createdAt }) => ({ version, createdAt: createdAt.toISOString() })),
      };
    },
  );
}

/**
 * The template with the texts of one of its versions.
 * @throws ProblemError `not_found`
 */
export async function inVersion(
  database: Queryable,
  newest: Template,
  version: number | undefined,
): Promise<Template> {
  if (version === undefined || version === newest.version) return newest;
  const found = await findTemplateVersion(database, { id: newest.id, version });
  if (!found) throw new ProblemError('not_found', `the template has no version ${version}`);
  const { subject: _subject, body: _body, html: _html, ...template } = newest;
  return { ...template, ...found.texts, needs: found.needs, version };
}
