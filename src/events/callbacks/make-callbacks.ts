import { offsetsOf, rankInBitmap } from '../../message/bitmap.ts';
import { bloomFilter } from '../../message/bloom.ts';
import {
  decodeChunk,
  type EncodedChunk,
  encodeChunk,
  isTestChunk,
  splitFrame,
} from '../../message/chunk-codec.ts';
import type { MessageDefaults, MessageFields } from '../../message/fields.ts';
import { messageIdAt } from '../../message/id.ts';
import { limits } from '../../message/limits.ts';
import { LookupHashes } from '../../message/lookup-hash.ts';
import { stateName } from '../../message/state.ts';
import { fieldsToShow } from '../../message/stored-message.ts';
import type { EventType, WebhookFilter } from '../../message/webhook.ts';
import type { BatchHead } from '../../store/events/read-batch-heads.ts';
import type { FeedRow } from '../../store/reading/read-events.ts';
import { type MadeReport, mayBeReported, reportsOf } from './make-reports.ts';

/** What of a webhook decides which events it gets, and how. */
export interface CallbackEndpoint {
  accountId: number;
  name: string;
  events: readonly EventType[];
  filter: WebhookFilter;
  batchMax: number;
  /** Transactions below are of before it was there; null where they were counted otherwise then. */
  beginsAt: bigint | null;
}

/** A part of the change feed with what belongs to it, and who is to be told. */
export interface CallbackTask {
  rows: readonly FeedRow[];
  /** By id, of the rows of messages. */
  chunks: ReadonlyMap<string, { codec: number; payload: Uint8Array }>;
  /** By batch. */
  defaults: ReadonlyMap<string, MessageDefaults>;
  /** By batch, of the rows of batches. */
  batches: ReadonlyMap<string, BatchHead>;
  /** By id. */
  routeNames: ReadonlyMap<number, string>;
  endpoints: readonly CallbackEndpoint[];
  /** Accounts whose messages may ask for status reports. */
  reporting: ReadonlySet<number>;
}

/** Callbacks of one account, ready to be stored as messages. */
export interface CallbackChunk extends EncodedChunk {
  accountId: number;
  count: number;
  toBits: Uint8Array;
  refBits?: Uint8Array;
}

/** An event as its receivers read it. */
interface CallbackEvent {
  type: EventType;
  /** The same whenever the event is told, in every request and by `GET /v1/events`. */
  id: string;
  timestamp: string;
  data: Record<string, unknown>;
}

/** A request of several events is no longer than a message may be, with room for what is around them. */
const batchBytesMax = limits.lineBytesMax - 1_024;

/** Makes the events of a part of the feed into messages to the endpoints that want them, and to the URLs that messages name. */
export function makeCallbacks(task: CallbackTask): CallbackChunk[] {
  const byAccount = new Map<number, CallbackEndpoint[]>();
  for (const endpoint of task.endpoints) {
    const others = byAccount.get(endpoint.accountId);
    if (others) others.push(endpoint);
    else byAccount.set(endpoint.accountId, [endpoint]);
  }
  const writers = new Map<number, AccountWriter>();
  for (const row of task.rows) {
    const wanting = (byAccount.get(row.accountId) ?? []).filter((endpoint) => wantsRow(endpoint, row, task));
    const reports = reportsIn(row, task);
    if (wanting.length === 0 && reports.length === 0) continue;
    let writer = writers.get(row.accountId);
    if (!writer) {
      writer = new AccountWriter(row.accountId);
      writers.set(row.accountId, writer);
    }
    for (const report of reports) writer.addReport(report);
    if (wanting.length === 0) continue;
    for (const told of eventsOf(row, task)) {
      for (const endpoint of wanting) if (wantsTags(endpoint, told.tags)) writer.add(endpoint, told);
    }
  }
  return [...writers.values()].flatMap((writer) => writer.end());
}

function reportsIn(row: FeedRow, { reporting, chunks }: CallbackTask): MadeReport[] {
  if (!reporting.has(row.accountId) || !mayBeReported(row)) return [];
  const chunk = chunks.get(row.id);
  return chunk === undefined ? [] : reportsOf(row, linesOf(chunk));
}

function wantsRow(endpoint: CallbackEndpoint, row: FeedRow, task: CallbackTask): boolean {
  const { events, filter, beginsAt } = endpoint;
  if (beginsAt !== null && row.writtenBy < beginsAt) return false;
  if (!events.includes(typeOf(row))) return false;
  if (filter.routes === undefined) return true;
  const routeId = row.kind === 'messages' ? row.routeId : task.batches.get(row.id)?.routeId;
  const route = routeId === undefined ? undefined : task.routeNames.get(routeId);
  return route !== undefined && filter.routes.includes(route);
}

function wantsTags({ filter }: CallbackEndpoint, tags: readonly string[]): boolean {
  return filter.tags === undefined || filter.tags.some((tag) => tags.includes(tag));
}

function typeOf(row: FeedRow): EventType {
  return row.kind === 'batch' ? `batch.${row.state}` : `message.${stateName(row.state)}`;
}

interface ToldEvent {
  event: CallbackEvent;
  tags: readonly string[];
  /** Of whom and of which message it tells: it is found by both. */
  to?: string;
  messageId?: string;
}

function eventsOf(row: FeedRow, task: CallbackTask): ToldEvent[] {
  const type = typeOf(row);
  const timestamp = row.at.toISOString();
  if (row.kind === 'batch') {
    const head = task.batches.get(row.id);
    const data = {
      batchId: row.id,
      state: row.state,
      ...nameOfRoute(task, head?.routeId),
      sequence: Number(row.writtenBy),
      ...(head?.test && { test: true }),
    };
    return [{ event: { type, id: `${row.id}.${row.writtenBy}`, timestamp, data }, tags: [] }];
  }
  const chunk = task.chunks.get(row.id);
  // Its day was dropped meanwhile.
  if (chunk === undefined) return [];
  const lines = linesOf(chunk);
  const defaults = (row.batch !== null && task.defaults.get(row.batch)) || undefined;
  return offsetsOf(row.offsets, row.chunkCount).flatMap((offset) => {
    const fields = { ...defaults, ...fieldsToShow(lines[offset] ?? '') } as MessageFields;
    // Who was erased is not told of.
    if (fields.erased) return [];
    const messageId = messageIdAt(row.id, offset);
    const data = {
      messageId,
      ...messageData(row, { offset, fields }),
      ...nameOfRoute(task, row.routeId),
      ...(isTestChunk(chunk.codec) && { test: true }),
    };
    const event = { type, id: `${messageId}.${row.seq}`, timestamp, data };
    return [{ event, tags: fields.tags ?? [], to: fields.to, messageId }];
  });
}

function linesOf({ codec, payload }: { codec: number; payload: Uint8Array }): string[] {
  try {
    return splitFrame(decodeChunk(codec, payload));
  } catch {
    // A text that cannot be read hides no state: `fieldsToShow` says that it is unreadable.
    return [];
  }
}

function nameOfRoute(task: CallbackTask, routeId: number | undefined): { route?: string } {
  const route = routeId === undefined ? undefined : task.routeNames.get(routeId);
  return route === undefined ? {} : { route };
}

function messageData(
  row: FeedRow & { kind: 'messages' },
  { offset, fields }: { offset: number; fields: MessageFields },
): Record<string, unknown> {
  const rank = rankInBitmap(row.offsets, offset);
  const providerRef = row.providerRefs?.[rank] ?? undefined;
  const detail = row.details?.length === 1 ? row.details[0] : row.details?.[rank];
  const { to, ref, tags, metadata } = fields;
  return {
    state: stateName(row.state),
    /** Rises with each event of the message, by more than 1. */
    sequence: Number(row.seq),
    ...(row.batch !== null && { batchId: row.batch }),
    to,
    ...(ref !== undefined && { ref }),
    ...(row.attempt > 0 && { attempt: row.attempt }),
    ...(providerRef !== undefined && { providerRef }),
    ...(row.errorCode !== null && { error: { code: row.errorCode, detail: detail ?? null } }),
    ...(tags !== undefined && { tags }),
    ...(metadata !== undefined && { metadata }),
  };
}

/** Gathers the callbacks of one account into chunks. */
class AccountWriter {
  readonly #accountId: number;
  readonly #full: CallbackChunk[] = [];
  readonly #open = new Map<string, { endpoint: CallbackEndpoint; told: ToldEvent[]; bytes: number }>();
  #lines: string[] = [];
  #bytes = 0;
  #recipients = new Set<string>();
  #references = new Set<string>();

  constructor(accountId: number) {
    this.#accountId = accountId;
  }

  add(endpoint: CallbackEndpoint, told: ToldEvent): void {
    if (endpoint.batchMax === 1) {
      this.#write(endpoint.name, [told]);
      return;
    }
    const bytes = Buffer.byteLength(JSON.stringify(told.event));
    let open = this.#open.get(endpoint.name);
    if (open && (open.told.length >= endpoint.batchMax || open.bytes + bytes > batchBytesMax)) {
      this.#write(endpoint.name, open.told);
      open = undefined;
    }
    if (!open) {
      open = { endpoint, told: [], bytes: 0 };
      this.#open.set(endpoint.name, open);
    }
    open.told.push(told);
    open.bytes += bytes + 1;
  }

  addReport({ reportUrl, messageId, report }: MadeReport): void {
    const line = JSON.stringify({ to: reportUrl, ref: messageId, report });
    this.#writeLine(line, { to: reportUrl, about: [{ to: report.to, messageId }] });
  }

  end(): CallbackChunk[] {
    for (const [name, { told }] of this.#open) this.#write(name, told);
    this.#close();
    return this.#full;
  }

  #write(name: string, told: readonly ToldEvent[]): void {
    const [first] = told;
    const payload =
      told.length === 1
        ? first!.event
        : { type: 'events', timestamp: told.at(-1)!.event.timestamp, data: told.map(({ event }) => event) };
    const ref = told.length === 1 && first!.messageId !== undefined ? { ref: first!.messageId } : {};
    this.#writeLine(JSON.stringify({ to: name, ...ref, payload }), { to: name, about: told });
  }

  #writeLine(
    line: string,
    { to, about }: { to: string; about: readonly Pick<ToldEvent, 'to' | 'messageId'>[] },
  ): void {
    const bytes = Buffer.byteLength(line) + 1;
    // Filters are made for so many keys.
    const isFull =
      this.#recipients.size + about.length > limits.chunkMessagesMax ||
      this.#bytes + bytes > limits.slotBytesMax ||
      this.#lines.length === limits.chunkMessagesMax;
    if (isFull) this.#close();
    this.#lines.push(line);
    this.#bytes += bytes;
    this.#recipients.add(to);
    for (const { to: person, messageId } of about) {
      if (person !== undefined) this.#recipients.add(person);
      if (messageId !== undefined) this.#references.add(messageId);
    }
  }

  #close(): void {
    if (this.#lines.length === 0) return;
    const frame = Buffer.from(this.#lines.join('\n'));
    this.#full.push({
      accountId: this.#accountId,
      count: this.#lines.length,
      ...encodeChunk(frame),
      toBits: this.#filter('to', this.#recipients),
      ...(this.#references.size > 0 && { refBits: this.#filter('ref', this.#references) }),
    });
    this.#lines = [];
    this.#bytes = 0;
    this.#recipients = new Set();
    this.#references = new Set();
  }

  #filter(kind: 'to' | 'ref', texts: ReadonlySet<string>): Uint8Array {
    const hashes = new LookupHashes(kind, { accountId: this.#accountId, max: texts.size });
    for (const text of texts) {
      const bytes = Buffer.from(text);
      hashes.add(bytes, 0, bytes.length);
    }
    return bloomFilter(hashes.halves, hashes.count);
  }
}
