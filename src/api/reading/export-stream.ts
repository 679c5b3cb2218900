import { createHash } from 'node:crypto';
import { byWeight } from '../../lib/by-weight.ts';
import { inOrder } from '../../lib/in-order.ts';
import { ProblemError } from '../../message/error-codes.ts';
import type { MessageDefaults } from '../../message/fields.ts';
import { chunkIdOf, messageIdAt, parseId } from '../../message/id.ts';
import { type ChunkToRender, csvHeader, type ExportFormat } from '../../message/render-chunk.ts';
import type { TemplateVersion } from '../../message/templates/compile-template.ts';
import { templateIdsOf } from '../../message/templates/templated-text.ts';
import type { Queryable } from '../../store/database.ts';
import { type ChunkKey, listChunkKeys } from '../../store/reading/list-chunk-keys.ts';
import { readChunks } from '../../store/reading/read-chunks.ts';
import { readOutcomes } from '../../store/reading/read-outcomes.ts';

export interface ExportSettings {
  database: Queryable;
  accountId: number;
  batch: string;
  defaults: MessageDefaults;
  /** Versions of templates by their ids. */
  loadTemplates: (ids: number[]) => Promise<TemplateVersion[]>;
  /** The name of a route by its number. */
  routeName: (routeId: number) => string;
  format: ExportFormat;
  /** Goes on behind the message with this id. */
  after: string | undefined;
  render: (chunks: ChunkToRender[]) => Promise<Uint8Array>;
  signal: AbortSignal;
}

/** Some messages, rendered. */
export interface ExportPart {
  bytes: Uint8Array;
  count: number;
}

/** Keys without payloads that are read at once. */
const keysAtOnce = 1_000;
/** Messages that are read and rendered as one part: of full chunks some 80 kB compressed, 500 kB rendered. */
const partMessages = 2_000;
/** Parts under way at once: one is read while another is rendered, and a third is written. */
const partsAheadMax = 3;

/**
 * The messages of a batch in order of id, some at a time. Nothing is held of the database while a reader
 * takes its time, and no more is read than the next parts: each message is shown as it is when it is read.
 */
export async function* exportParts(settings: ExportSettings): AsyncGenerator<ExportPart> {
  const work = async (keys: ChunkKey[]): Promise<ExportPart> => {
    const chunks = await readGroup(keys, settings);
    const count = chunks.reduce((sum, chunk) => sum + Math.max(0, chunk.count - chunk.fromOffset), 0);
    return { bytes: await settings.render(chunks), count };
  };
  for await (const part of inOrder(groups(settings), { work, aheadMax: partsAheadMax })) {
    if (settings.signal.aborted)
      throw new ProblemError('stopping', 'go on behind the last message with `after`');
    yield part;
  }
}

async function* groups({ database, batch, after }: ExportSettings): AsyncGenerator<ChunkKey[]> {
  let from = after === undefined ? undefined : chunkIdOf(after);
  for (;;) {
    const keys = await listChunkKeys(database, { batch, from, limit: keysAtOnce });
    yield* byWeight(keys, { weight: ({ count }) => count, max: partMessages });
    if (keys.length < keysAtOnce) return;
    from = messageIdAt(keys.at(-1)!.id, 1);
  }
}

async function readGroup(keys: ChunkKey[], settings: ExportSettings): Promise<ChunkToRender[]> {
  const { database, accountId, format, defaults, routeName, after } = settings;
  const ids = keys.map(({ id }) => id);
  const [chunks, outcomes] = await Promise.all([
    readChunks(database, { accountId, ids }),
    readOutcomes(database, ids),
  ]);
  if (chunks.length !== ids.length)
    throw new Error(`chunks of batch ${settings.batch} went while it was exported`);
  const pins = chunks.map(({ templates }) => ({ defaults, pins: templates }));
  const versions = await settings.loadTemplates(templateIdsOf(pins));
  return chunks.map(({ routeId, templates, ...chunk }) => ({
    ...{ ...chunk, pins: templates, versions },
    format,
    defaults,
    route: routeName(routeId),
    outcomes: outcomes.get(chunk.id)!,
    fromOffset: after !== undefined && chunkIdOf(after) === chunk.id ? parseId(after).offset + 1 : 0,
  }));
}

/**
 * The bytes of an export: its parts, then a trailer with the number of messages and the SHA-256 of all bytes
 * before it, so that a stream that was cut is noticed. A failure midway ends in an error line instead.
 *
 * CSV has no other place for them than a last line that begins with `#`, which no record does: its first
 * cell is an id. Its header comes first, and not again in an export that goes on behind a message.
 */
export async function* exportBytes(
  parts: AsyncIterable<ExportPart>,
  settings: {
    format: ExportFormat;
    withHeader: boolean /** The problem document of a failure. */;
    problemText: (error: unknown) => string;
  },
): AsyncGenerator<Uint8Array> {
  const { format, withHeader, problemText } = settings;
  const closing = (line: string) => Buffer.from(format === 'csv' ? `# ${line}\r\n` : `${line}\n`);
  const hash = createHash('sha256');
  let count = 0;
  try {
    if (format === 'csv' && withHeader) {
      hash.update(csvHeader);
      yield Buffer.from(csvHeader);
    }
    for await (const part of parts) {
      // A resumed export may begin behind the last message of a chunk.
      if (part.bytes.length === 0) continue;
      hash.update(part.bytes);
      count += part.count;
      yield part.bytes;
    }
  } catch (error) {
    yield closing(`{"error":${problemText(error)}}`);
    return;
  }
  yield closing(JSON.stringify({ trailer: { count, sha256: hash.digest('hex') } }));
}
