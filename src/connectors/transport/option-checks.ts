import { isPublicAddress, literalAddress } from '../../lib/public-address.ts';
import type { OptionProblem } from '../connector.ts';
import { pointerTo } from './option-pointer.ts';
import { isObject } from './reply-answer.ts';

/** Judges one option, `undefined` where it is not there; it sees the others. */
export type OptionCheck = (value: unknown, options: Record<string, unknown>) => OptionProblem[];

/** Every problem of `options`: of those that are known, and that there are no others. */
export function checkOptions(
  options: Record<string, unknown>,
  checks: Readonly<Record<string, OptionCheck>>,
): OptionProblem[] {
  const problems = Object.keys(options)
    .filter((name) => !Object.hasOwn(checks, name))
    .map((name) => problem(pointerTo('', name), 'unknown_field', `There is no option "${name}".`));
  for (const [name, check] of Object.entries(checks)) problems.push(...check(options[name], options));
  return problems;
}

export const timeoutMsDefault = 30_000;

const timeoutMsMin = 10;
const timeoutMsMax = 600_000;
const urlLengthMax = 2_048;
const headersMax = 64;
const headerValueLengthMax = 8_192;

/** Options of every connector that sends over HTTP. */
export interface TransportOptions {
  /** From the request's start to its last byte, connecting included. Default: `timeoutMsDefault`. */
  timeoutMs?: number;
  /** Let the provider be on a private, loopback or otherwise reserved address. Default: false. */
  allowPrivate?: boolean;
}

export const transportChecks: Record<keyof TransportOptions, OptionCheck> = {
  timeoutMs: (value) =>
    value === undefined
      ? []
      : checkInteger(value, { pointer: '/timeoutMs', min: timeoutMsMin, max: timeoutMsMax }),
  allowPrivate: (value) =>
    value === undefined || typeof value === 'boolean'
      ? []
      : [problem('/allowPrivate', 'invalid_type', 'allowPrivate is true or false.')],
};

/** What `transportChecks` allow, as the documentation of the API shows it. */
export const transportSchemas: Record<keyof TransportOptions, object> = {
  timeoutMs: {
    type: 'integer',
    minimum: timeoutMsMin,
    maximum: timeoutMsMax,
    default: timeoutMsDefault,
    description: 'of a request, connecting included',
  },
  allowPrivate: {
    type: 'boolean',
    default: false,
    description: 'let the URL lead to a private, loopback or otherwise reserved address',
  },
};

export const urlSchema = { type: 'string', format: 'uri', maxLength: urlLengthMax };

export const headersSchema = {
  type: 'object',
  maxProperties: headersMax,
  additionalProperties: { type: 'string', maxLength: headerValueLengthMax },
};

export function checkUrl(value: unknown, options: Record<string, unknown>): OptionProblem[] {
  const wrong = (code: string, detail: string) => [problem('/url', code, detail)];
  if (value === undefined) return wrong('required', 'url is required: where messages are posted.');
  if (typeof value !== 'string') return wrong('invalid_type', 'url is text.');
  if (value.length > urlLengthMax)
    return wrong('invalid_value', `url is ${urlLengthMax} characters at most.`);
  if (!URL.canParse(value)) return wrong('invalid_value', 'url is not a URL.');
  const url = new URL(value);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return wrong('invalid_value', 'url begins with http:// or https://.');
  }
  if (url.username !== '' || url.password !== '') {
    return wrong('invalid_value', 'Credentials do not belong in the url; set headers.authorization.');
  }
  if (url.hash !== '') return wrong('invalid_value', 'A fragment (#…) is never sent; leave it out.');
  const literal = literalAddress(url.hostname);
  if (literal !== undefined && options.allowPrivate !== true && !isPublicAddress(literal)) {
    return wrong(
      'address_not_allowed',
      `${literal} is private or reserved; set allowPrivate (--allow-private) to permit it.`,
    );
  }
  return [];
}

/** Set by the connection itself, or by the connector for each message. */
export const reservedHeaders = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'idempotency-key',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

export function checkHeaders(value: unknown): OptionProblem[] {
  if (value === undefined) return [];
  if (!isObject(value)) return [problem('/headers', 'invalid_type', 'headers is an object of text.')];
  const names = Object.keys(value);
  if (names.length > headersMax) {
    return [problem('/headers', 'out_of_range', `There are ${headersMax} headers at most.`)];
  }
  const lowerCased = names.map((name) => name.toLowerCase());
  return names.flatMap((name, n) => {
    const pointer = pointerTo('/headers', name);
    const twice = lowerCased.indexOf(name.toLowerCase()) < n;
    if (twice) return [problem(pointer, 'invalid_value', 'The header is there twice.')];
    return checkHeader(name, value[name], pointer);
  });
}

function checkHeader(name: string, value: unknown, pointer: string): OptionProblem[] {
  // RFC 9110: a name is a token; a value is visible characters with spaces and tabs between them.
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)) {
    return [problem(pointer, 'invalid_value', 'This is not the name of a header.')];
  }
  if (reservedHeaders.has(name.toLowerCase())) {
    return [problem(pointer, 'not_allowed', `The header "${name}" is set by the connector.`)];
  }
  if (typeof value !== 'string') return [problem(pointer, 'invalid_type', 'The value of a header is text.')];
  if (value.length > headerValueLengthMax || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
    const detail = `The value of a header is at most ${headerValueLengthMax} characters of Latin-1, on one line.`;
    return [problem(pointer, 'invalid_value', detail)];
  }
  return [];
}

export function checkInteger(
  value: unknown,
  bounds: { pointer: string; min: number; max: number },
): OptionProblem[] {
  const { pointer, min, max } = bounds;
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    return [problem(pointer, 'invalid_type', 'This is a whole number.')];
  }
  if (value >= min && value <= max) return [];
  return [problem(pointer, 'out_of_range', `This is a number from ${min} to ${max}.`)];
}

export function problem(pointer: string, code: string, detail: string): OptionProblem {
  return { pointer, code, detail };
}
