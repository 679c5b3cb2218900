import type { IncomingHttpHeaders } from 'node:http';
import type { Channel } from '../../message/fields.ts';
import type { OutgoingMessage, ReceiptNews, ReceiptRequest } from '../connector.ts';

/** An option that a preset has beside `url`, `timeoutMs` and `allowPrivate`: text. */
export interface PresetOption {
  description: string;
  required?: true;
  /** It may have several lines. */
  lines?: true;
  accepts?: (value: string) => boolean;
  /** The sentence for a value that is not accepted; it must not quote it. */
  problem?: string;
}

/** Values of options by their names, as `check` lets them through. */
export type OptionValues<O extends Record<string, PresetOption> = Record<string, PresetOption>> = {
  readonly [Name in keyof O]: O[Name] extends { required: true } ? string : string | undefined;
};

/** JSON for the encoding `json`, names and values for the others. */
export type Fields = Record<string, unknown> | [string, string][];

/** A request that is about to be posted, as those see it that sign it. */
export interface UnsignedRequest {
  url: URL;
  contentType: string;
  body: string;
  nowMs: number;
}

/** What a refusal says, by the provider's documentation. */
export interface RefusalWords {
  code?: unknown;
  detail?: unknown;
}

/** How to talk to one provider: an entry in the catalogue of presets, told as data and small pure functions. */
export interface Preset<O extends Record<string, PresetOption> = Record<string, PresetOption>> {
  /** What its recipients are. */
  channel: Channel;
  options: O;
  /** Where the provider is, without the path; the option `url` takes its place. */
  baseUrl(options: OptionValues<O>): string;
  path(options: OptionValues<O>): string;
  /** Headers that prove who sends. */
  authenticate(options: OptionValues<O>, request: UnsignedRequest): Record<string, string>;
  encoding: 'json' | 'form' | 'multipart';
  /** Throws, for its reason to be read by users, for a message that lacks what the provider needs. */
  message(message: OutgoingMessage, options: OptionValues<O>): Fields;
  /** Headers of a request with this message alone. */
  messageHeaders?(message: OutgoingMessage): Record<string, string>;
  /** Only where each message gets an answer of its own: a request is the array of the messages, its answer one of results. */
  batchMax?: number;
  answer: {
    /** The provider's id of a message that it took. */
    providerRef(json: Record<string, unknown>, headers: IncomingHttpHeaders): unknown;
    /** Of a refusal, or of a result in a batch. */
    refusal(json: Record<string, unknown>, headers: IncomingHttpHeaders): RefusalWords;
    /** Whether a result in a batch says that the message was taken. */
    isTaken?(result: Record<string, unknown>): boolean;
    /** Refusals that another try may overcome, beside those of status 401, 402, 429 and 503. */
    isTransient?(refused: { status: number; code: string | undefined }): boolean;
  };
  receipts: {
    format: 'json' | 'form';
    /** Why the callback is not believed; undefined when it is, or when no secret was agreed. */
    distrust(options: OptionValues<O>, request: ReceiptRequest, at: { nowMs: number }): string | undefined;
    /** The receipts of a callback. By default the elements of an array, or the one object. */
    items?(body: unknown): unknown;
    /** What one says; undefined when it changes nothing, or is of something else. */
    news(item: Record<string, unknown>, request: ReceiptRequest): ReceiptNews | undefined;
  };
}

/** Lets the functions of a preset see its options by name. */
export function definePreset<const O extends Record<string, PresetOption>>(preset: Preset<O>): Preset {
  return preset as unknown as Preset;
}
