import { Readable } from 'node:stream';
import { Type } from 'typebox';
import { ProblemError } from '../../message/error-codes.ts';
import { isId } from '../../message/id.ts';
import type { TemplateVersion } from '../../message/templates/compile-template.ts';
import type { ControlCache } from '../../store/control/control-cache.ts';
import { loadTemplateVersions } from '../../store/control/templates.ts';
import type { Queryable } from '../../store/database.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { badCursor } from '../page.ts';
import { readingContext } from '../read-target.ts';
import { cutStalled } from '../reading/cut-stalled.ts';
import { exportBytes, exportParts } from '../reading/export-stream.ts';
import { primed } from '../reading/primed.ts';
import { openRenderPool } from '../reading/render-pool.ts';
import { streamProblem } from '../reading/stream-problem.ts';
import { BatchId, readBatch, routeName, StreamAnswer } from './batch-fields.ts';

const mediaTypes = { ndjson: 'application/x-ndjson', csv: 'text/csv; charset=utf-8' } as const;

/** Exports at once in one process: each holds a few parts, and a share of the rendering thread. */
const exportsMax = 16;

export function exportBatch(app: ApiInstance, context: ApiContext): void {
  const pool = openRenderPool();
  app.addHook('onClose', () => pool.close());
  let running = 0;
  app.get(
    '/v1/batches/:id/export',
    {
      config: { scope: 'read', errors: ['not_found'] },
      exposeHeadRoute: false,
      schema: {
        summary: 'All messages of a batch, as a stream',
        description:
          'In order of id, each as it is when its turn comes. The last line is ' +
          '`{"trailer": {"count", "sha256"}}`, of the messages and the bytes before it in this answer, or ' +
          '`{"error": …}`; without either the stream was cut. In CSV that line begins with `# `. ' +
          'An export that was cut goes on with `after`, the id of the last whole line.',
        tags: ['batches'],
        params: BatchId,
        querystring: Type.Object(
          {
            format: Type.Optional(Type.Union([Type.Literal('ndjson'), Type.Literal('csv')])),
            after: Type.Optional(Type.String({ description: 'the id of a message' })),
          },
          { additionalProperties: false },
        ),
        response: {
          200: {
            description: 'a line for each message, and the trailer',
            content: {
              'application/x-ndjson': { schema: StreamAnswer },
              'text/csv': { schema: StreamAnswer },
            },
          },
        },
      },
    },
    async (request, reply) => {
      const { accountId } = request.caller;
      const { format = 'ndjson', after } = request.query;
      if (after !== undefined && !isId(after)) throw badCursor();
      const reads = await readingContext(context, request);
      const { id: batch, defaults } = await readBatch(reads, { accountId, id: request.params.id });
      if (running >= exportsMax) {
        throw new ProblemError('unavailable', `${exportsMax} exports are running`, { retryAfterSeconds: 5 });
      }
      // Who has gone meanwhile will not close a second time.
      if (reply.raw.destroyed) throw new ProblemError('invalid_request', 'the connection was closed');
      running++;
      reply.raw.once('close', () => running--);
      const parts = await primed(
        exportParts({
          database: reads.database,
          accountId,
          batch,
          defaults,
          loadTemplates: (ids) => templatesOf({ ...reads, ids }),
          routeName: (routeId) => routeName(context.control, routeId),
          format,
          after,
          render: pool.render,
          signal: context.lifecycle.signal,
        }),
      );
      const bytes = exportBytes(parts, {
        format,
        withHeader: after === undefined,
        problemText: (error) => streamProblem(request, error),
      });
      // A stream of bytes, not of objects: it holds one part at a time for a reader that is slow.
      const cut = () => reply.raw.destroy();
      const taken = cutStalled(bytes, { partMs: context.clientLimits.answerPartMs, cut });
      return reply.type(mediaTypes[format]).send(Readable.from(taken, { objectMode: false }));
    },
  );
}

/** They go to the thread that renders, which compiles them for itself. */
async function templatesOf({
  database,
  control,
  ids,
}: {
  database: Queryable;
  control: ControlCache;
  ids: number[];
}): Promise<TemplateVersion[]> {
  const loaded = await control.templates.load(ids, (keys) => loadTemplateVersions(database, keys));
  return [...loaded.values()].map(({ source }) => source);
}
