import { Readable } from 'node:stream';
import { decodeChunk } from '../../message/chunk-codec.ts';
import type { Queryable } from '../../store/database.ts';
import { readRejections } from '../../store/reading/read-rejections.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { readingContext } from '../read-target.ts';
import { cutStalled } from '../reading/cut-stalled.ts';
import { primed } from '../reading/primed.ts';
import { streamProblem } from '../reading/stream-problem.ts';
import { BatchId, readBatch, StreamAnswer } from './batch-fields.ts';

/** Slots whose rejections are read at once: at most 1,000 lines each. */
const slotsAtOnce = 16;

export function listRejections(app: ApiInstance, context: ApiContext): void {
  app.get(
    '/v1/batches/:id/rejections',
    {
      config: { scope: 'read', errors: ['not_found'] },
      exposeHeadRoute: false,
      schema: {
        summary: 'Every rejected line of a batch, in order, as a stream',
        description: 'A failure midway ends in a line `{"error": …}`.',
        tags: ['batches'],
        params: BatchId,
        response: {
          200: {
            description: 'a line `{line, code, detail}` for each',
            content: { 'application/x-ndjson': { schema: StreamAnswer } },
          },
        },
      },
    },
    async (request, reply) => {
      const { accountId } = request.caller;
      const reads = await readingContext(context, request);
      const { id } = await readBatch(reads, { accountId, id: request.params.id });
      const parts = await primed(rejections(reads.database, id));
      const bytes = withProblem(parts, (error) => streamProblem(request, error));
      const cut = () => reply.raw.destroy();
      const taken = cutStalled(bytes, { partMs: context.clientLimits.answerPartMs, cut });
      return reply.type('application/x-ndjson').send(Readable.from(taken, { objectMode: false }));
    },
  );
}

async function* rejections(database: Queryable, batch: string): AsyncGenerator<Uint8Array> {
  for (let afterLine = 0; ; ) {
    const slots = await readRejections(database, { batch, afterLine, limit: slotsAtOnce });
    for (const { codec, payload } of slots) yield endedLines(decodeChunk(codec, payload));
    if (slots.length < slotsAtOnce) return;
    afterLine = slots.at(-1)!.firstLine;
  }
}

const lineFeed = 0x0a;

function endedLines(lines: Uint8Array): Uint8Array {
  return lines.at(-1) === lineFeed ? lines : Buffer.concat([lines, Buffer.of(lineFeed)]);
}

async function* withProblem(
  parts: AsyncIterable<Uint8Array>,
  problemText: (error: unknown) => string,
): AsyncGenerator<Uint8Array> {
  try {
    yield* parts;
  } catch (error) {
    yield Buffer.from(`{"error":${problemText(error)}}\n`);
  }
}
