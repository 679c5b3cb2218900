import type { ApiInstance, ProbeContext } from '../context.ts';

export function showMetrics(app: ApiInstance, context: ProbeContext): void {
  app.get(
    '/metrics',
    {
      config: { scope: 'none' },
      schema: {
        summary: 'Figures of this process',
        description: 'In the text format of Prometheus. They hold no content and no names of accounts.',
        tags: ['server'],
      },
    },
    async (_request, reply) =>
      reply.header('content-type', context.metrics.contentType).send(await context.metrics.render()),
  );
}
