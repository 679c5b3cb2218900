import { parseTime } from '../lib/parse-time.ts';
import type { MessageDefaults, MessageFields } from './fields.ts';
import {
  errorAt,
  type FoldedOutcomes,
  type MessageError,
  providerRefAt,
  stateAtOf,
} from './fold-outcomes.ts';
import { messageIdAt, unixMsOf } from './id.ts';
import { type State, stateName } from './state.ts';
import { fieldsToShow } from './stored-message.ts';
import { RenderError } from './templates/template-error.ts';
import { type ChunkTemplates, type TemplatedText, templatedText } from './templates/templated-text.ts';

/** A message as users are shown it, in the order of its members. */
export interface MessageView {
  id: string;
  batchId: string | null;
  route: string;
  to: string;
  from: string | null;
  body: string | null;
  ref: string | null;
  metadata: Record<string, unknown>;
  tags: string[];
  /** These ten only where they are set. */
  subject?: string;
  html?: string;
  /** By which version of which template body, subject and HTML were made, and what was filled in. */
  template?: string;
  templateVersion?: number;
  params?: Record<string, unknown>;
  payload?: unknown;
  headers?: Record<string, string>;
  scheduledAt?: string;
  expiresAt?: string;
  orderingKey?: string;
  /** The recipient was erased. */
  erased?: true;
  /** The stored text cannot be read: it is damaged, or a later release wrote it. */
  unreadable?: true;
  /** A test key has sent it: nobody gets it. */
  test?: true;
  state: State;
  attempts: number;
  providerRef?: string;
  error?: MessageError;
  createdAt: string;
  /** When it came into its state, as far as that is known to the moment: what ended together was recorded together. */
  stateAt: string;
}

/** What the messages of a chunk have in common. */
export interface ChunkView {
  id: string;
  batch: string | null;
  /** The name of its route. */
  route: string;
  /** What lines leave unsaid; a line's own field wins. */
  defaults: MessageDefaults;
  folded: FoldedOutcomes;
  /** A test key has sent its messages. */
  test?: boolean;
  /** What renders its messages; undefined where none needs it. */
  templates?: ChunkTemplates | undefined;
}

/** What a message says. */
interface Said {
  body?: string | undefined;
  subject?: string | undefined;
  html?: string | undefined;
  template?: string;
  templateVersion?: number;
  params?: Record<string, unknown>;
}

/** `line` is the message as its sender wrote it, one JSON object. */
export function viewMessage(chunk: ChunkView, offset: number, line: string): MessageView {
  const own = fieldsToShow(line);
  const { defaults, folded } = chunk;
  const { subject, html, body, template, templateVersion, params } = saidBy(own, chunk);
  // A payload may be null: the line's own then hides the batch's.
  const payload = own.payload === undefined ? defaults.payload : own.payload;
  const headers = own.headers ?? defaults.headers;
  const scheduledAt = own.scheduledAt ?? defaults.scheduledAt;
  const expiresAt = own.expiresAt ?? defaults.expiresAt;
  const orderingKey = own.orderingKey ?? defaults.orderingKey;
  const providerRef = providerRefAt(folded, offset);
  const error = errorAt(folded, offset);
  return {
    id: messageIdAt(chunk.id, offset),
    batchId: chunk.batch,
    route: chunk.route,
    to: own.to,
    from: own.from ?? defaults.from ?? null,
    body: body ?? null,
    ref: own.ref ?? null,
    metadata: own.metadata ?? defaults.metadata ?? {},
    tags: own.tags ?? defaults.tags ?? [],
    ...(subject !== undefined && { subject }),
    ...(html !== undefined && { html }),
    ...(template !== undefined && { template }),
    ...(templateVersion !== undefined && { templateVersion }),
    ...(params !== undefined && { params }),
    ...(payload !== undefined && { payload }),
    ...(headers !== undefined && { headers }),
    ...(scheduledAt !== undefined && { scheduledAt: inUtc(scheduledAt) }),
    ...(expiresAt !== undefined && { expiresAt: inUtc(expiresAt) }),
    ...(orderingKey !== undefined && { orderingKey }),
    ...(own.erased && { erased: true as const }),
    ...(own.unreadable && { unreadable: true as const }),
    ...(chunk.test && { test: true as const }),
    state: stateName(folded.state[offset]!),
    attempts: folded.attempt[offset]!,
    ...(providerRef !== undefined && { providerRef }),
    ...(error !== undefined && { error }),
    createdAt: createdAtOf(chunk.id),
    stateAt: stateAtOf(folded, offset) ?? createdAtOf(chunk.id),
  };
}

/** Its own text, or that of its template, as it is rendered to be sent. */
export function saidBy(own: MessageFields, chunk: ChunkView): Said {
  const templated = templatedText(own, chunk);
  if (templated) return renderedToShow(templated);
  const { defaults } = chunk;
  return {
    body: own.body ?? defaults.body,
    subject: own.subject ?? defaults.subject,
    html: own.html ?? defaults.html,
  };
}

/** A message that cannot be rendered has no text to show: why, its own error says. */
function renderedToShow({ template, version, params, render }: TemplatedText): Said {
  const by = { template, ...(version !== undefined && { templateVersion: version }), params };
  try {
    return { ...render(), ...by };
  } catch (error) {
    if (!(error instanceof RenderError)) throw error;
    return by;
  }
}

/** A sender's time, whatever zone it was written in. */
export function inUtc(time: string): string {
  return parseTime(time)?.toISOString() ?? time;
}

/** When a message was accepted: its id says it. */
export function createdAtOf(id: string): string {
  return new Date(unixMsOf(id)).toISOString();
}
