import { deleteTemplate as markDeleted } from '../../store/control/templates.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { controlWrite } from '../control-write.ts';
import { TemplateAnswer, TemplatePlace, templateAnswer, templateAt } from './template-fields.ts';

export function deleteTemplate(app: ApiInstance, context: ApiContext): void {
  app.delete(
    '/v1/templates/:id',
    {
      config: { scope: 'manage', errors: ['not_found'] },
      schema: {
        summary: 'Delete a template',
        description:
          'Its name is free again. Messages that were accepted with it, and batches that were made with it, keep it.',
        tags: ['templates'],
        params: TemplatePlace,
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
            const template = await templateAt(transaction, { accountId, place: request.params.id });
            await markDeleted(transaction, template.id);
            return { status: 200, body: templateAnswer(template) };
          },
        },
      );
    },
  );
}
