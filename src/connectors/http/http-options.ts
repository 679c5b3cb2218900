import { limits } from '../../message/limits.ts';
import type { OptionProblem } from '../connector.ts';
import type { OptionCheck, TransportOptions } from '../transport/option-checks.ts';
import {
  checkHeaders,
  checkInteger,
  checkOptions,
  checkUrl,
  headersSchema,
  problem,
  transportChecks,
  transportSchemas,
  urlSchema,
} from '../transport/option-checks.ts';
import { pointerTo } from '../transport/option-pointer.ts';
import { isObject } from '../transport/reply-answer.ts';
import { checkTemplate } from './body-template.ts';
import { checkReceiptSecret, receiptSecretSchema } from './generic-receipts.ts';
import { presets } from './preset-catalogue.ts';
import { checkPresetOptions, presetOptionSchemas } from './preset-options.ts';

/** The options of the `http` connector, where they name no `preset`. */
export interface HttpOptions extends TransportOptions {
  url: string;
  /** Added to every request; they may hold credentials and are never logged or quoted. */
  headers?: Record<string, string>;
  /** A JSON value with `{{field}}` in its strings, posted in place of the message's fields. */
  bodyTemplate?: unknown;
  /** Post `{messages: […]}` with up to `max` messages. Default: one message a request. */
  batch?: { max: number };
  /** Receipts must be signed with it. */
  receiptSecret?: string;
}

/** Every problem of the options; empty when they are `HttpOptions`. */
export function checkHttpOptions(options: Record<string, unknown>): OptionProblem[] {
  return options.preset === undefined ? checkOptions(options, checks) : checkPresetOptions(options);
}

const checks: Record<keyof HttpOptions, OptionCheck> = {
  url: checkUrl,
  headers: checkHeaders,
  bodyTemplate: (value) => (value === undefined ? [] : checkTemplate(value, '/bodyTemplate')),
  batch: checkBatch,
  receiptSecret: checkReceiptSecret,
  ...transportChecks,
};

const presetSchemas = presetOptionSchemas();

/** What `checks` and presets allow, as the documentation of the API shows it. */
export const httpOptionSchemas: Record<keyof HttpOptions | 'preset', object> = {
  ...presetSchemas,
  preset: {
    type: 'string',
    enum: [...presets.keys()],
    description:
      'a provider whose interface is known: its own options take the place of `headers`, `bodyTemplate` and `batch`',
  },
  url: {
    ...urlSchema,
    description:
      'required: where messages are posted; http(s), without credentials. With a preset not required, and the base of the ' +
      "provider's URLs",
  },
  headers: {
    ...headersSchema,
    description: 'of every request; they may hold credentials, which are encrypted in the database',
  },
  bodyTemplate: {
    description: "a JSON value with `{{field}}` in its strings, posted in place of the message's fields",
  },
  batch: {
    type: 'object',
    required: ['max'],
    additionalProperties: false,
    properties: { max: { type: 'integer', minimum: 1, maximum: limits.chunkMessagesMax } },
    description: 'post `{messages: […]}` with up to `max` of them; without it one message a request',
  },
  receiptSecret: {
    ...receiptSecretSchema,
    description: `${receiptSecretSchema.description}. ${presetSchemas.receiptSecret?.description}`,
  },
  ...transportSchemas,
};

function checkBatch(value: unknown): OptionProblem[] {
  if (value === undefined) return [];
  if (!isObject(value)) return [problem('/batch', 'invalid_type', 'batch is an object: {max}.')];
  const unknown = Object.keys(value)
    .filter((name) => name !== 'max')
    .map((name) => problem(pointerTo('/batch', name), 'unknown_field', `There is no option "${name}".`));
  if (value.max === undefined)
    return [...unknown, problem('/batch/max', 'required', 'batch.max is required.')];
  return [
    ...unknown,
    ...checkInteger(value.max, { pointer: '/batch/max', min: 1, max: limits.chunkMessagesMax }),
  ];
}
