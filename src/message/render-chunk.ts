import { decodeChunk, isTestChunk, splitFrame } from './chunk-codec.ts';
import type { MessageDefaults } from './fields.ts';
import { foldOutcomes, type OutcomeRow } from './fold-outcomes.ts';
import { jsonLines } from './json-lines.ts';
import { type MessageView, viewMessage } from './message-view.ts';
import type { TemplateVersion } from './templates/compile-template.ts';
import type { TemplatePins } from './templates/pins.ts';
import { TemplateCache } from './templates/template-cache.ts';

export type ExportFormat = 'ndjson' | 'csv';

/** Everything of a chunk that an export shows. */
export interface ChunkToRender {
  format: ExportFormat;
  id: string;
  batch: string | null;
  route: string;
  defaults: MessageDefaults;
  count: number;
  codec: number;
  payload: Uint8Array;
  /** What the templates mean that its lines name, and the versions that its messages are rendered by. */
  pins?: TemplatePins | null;
  versions?: TemplateVersion[];
  /** In order of `seq`. */
  outcomes: OutcomeRow[];
  /** The first offset to show: a resumed export begins inside a chunk. */
  fromOffset: number;
}

const csvColumns = [
  'id',
  'batchId',
  'route',
  'to',
  'from',
  'subject',
  'body',
  'html',
  'payload',
  'headers',
  'ref',
  'metadata',
  'tags',
  'state',
  'attempts',
  'providerRef',
  'errorCode',
  'errorDetail',
  'createdAt',
  'scheduledAt',
  'expiresAt',
  'orderingKey',
  'template',
  'templateVersion',
  'params',
  'stateAt',
  'test',
] as const;

export const csvHeader = `${csvColumns.join(',')}\r\n`;

/** The messages of some chunks as an export shows them, one line each: JSON, or CSV as RFC 4180 has it. */
export function renderChunks(chunks: readonly ChunkToRender[]): Uint8Array<ArrayBuffer> {
  let text = '';
  for (const chunk of chunks) text += renderChunk(chunk);
  const bytes = Buffer.from(text);
  // A long text gets an ArrayBuffer of its own, which can move to another thread; a short one shares a pool.
  return bytes.length === bytes.buffer.byteLength ? new Uint8Array(bytes.buffer) : new Uint8Array(bytes);
}

/** Compiled once for a thread. */
const templates = new TemplateCache({
  load: async () => [],
  onError(error) {
    // Whoever exports takes what comes for all there is.
    throw error;
  },
});

function renderChunk(chunk: ChunkToRender): string {
  const lines = splitFrame(decodeChunk(chunk.codec, chunk.payload));
  if (lines.length !== chunk.count) {
    throw new Error(`chunk ${chunk.id} holds ${lines.length} messages instead of ${chunk.count}`);
  }
  const { pins = null, versions = [] } = chunk;
  const view = {
    ...chunk,
    folded: foldOutcomes(chunk.count, chunk.outcomes),
    templates: { pins, byId: templates.take(versions) },
    test: isTestChunk(chunk.codec),
  };
  const line =
    chunk.format === 'csv'
      ? (offset: number) => csvLine(viewMessage(view, offset, lines[offset]!))
      : jsonLines(view, lines);
  let text = '';
  for (let offset = chunk.fromOffset; offset < lines.length; offset++) text += line(offset);
  return text;
}

/** Tags are joined by `|`; objects are JSON; what is absent is an empty cell. */
function csvLine(message: MessageView): string {
  // Whoever exports takes what comes for all there is.
  if (message.unreadable) throw new Error(`the stored text of message ${message.id} cannot be read`);
  const cells = [
    message.id,
    message.batchId,
    message.route,
    message.to,
    message.from,
    message.subject,
    message.body,
    message.html,
    jsonCell(message.payload),
    jsonCell(message.headers),
    message.ref,
    Object.keys(message.metadata).length === 0 ? '' : jsonCell(message.metadata),
    message.tags.join('|'),
    message.state,
    String(message.attempts),
    message.providerRef,
    message.error?.code,
    message.error?.detail,
    message.createdAt,
    message.scheduledAt,
    message.expiresAt,
    message.orderingKey,
    message.template,
    message.templateVersion === undefined ? '' : String(message.templateVersion),
    jsonCell(message.params),
    message.stateAt,
    message.test ? 'true' : '',
  ];
  return `${cells.map(quoteCell).join(',')}\r\n`;
}

function jsonCell(value: unknown): string {
  return value === undefined ? '' : JSON.stringify(value);
}

function quoteCell(cell: string | null | undefined): string {
  if (cell === null || cell === undefined) return '';
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
