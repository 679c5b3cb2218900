import type { FastifySchemaCompiler } from 'fastify';
import type { Static, TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { Settings } from 'typebox/system';
import { type ErrorItem, ProblemError } from '../message/error-codes.ts';
import { type ChoiceParams, mergeChoices, type SchemaError } from './choice-errors.ts';

/** Problems looked for in one value. */
const errorsMax = 100;
const codeByKeyword: Record<string, string> = { additionalProperties: 'unknown_field', required: 'required' };

/**
 * Fastify's validator: bodies are taken as they are, the texts of a query become numbers and booleans where
 * the schema says so and the text is exactly one.
 */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const check = compileCheck(schema);
  const where = httpPart === 'querystring' ? 'query' : (httpPart ?? 'body');
  return (value: unknown) => {
    const read = httpPart === 'body' ? value : readTexts(schema, value);
    const errors = check(read);
    return errors.length === 0 ? { value: read } : { error: invalid(where, errors) };
  };
};

/** For a handler that reads its own body: answers the value, or throws what the other endpoints would. */
export function compileBody<Schema extends TSchema>(schema: Schema): (value: unknown) => Static<Schema> {
  const check = compileCheck(schema);
  return (value) => {
    const errors = check(value);
    if (errors.length > 0) throw invalid('body', errors);
    return value as Static<Schema>;
  };
}

export function invalid(where: string, errors: ErrorItem[]): ProblemError {
  const first = errors[0];
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  const place = first?.pointer ? ` ${first.pointer}` : '';
  return new ProblemError('validation_failed', `${where}${place}: ${first?.detail}${more}`, { errors });
}

/** Compiled when the first value comes, for the reason of `serializer-compiler.ts`. */
function compileCheck(schema: TSchema): (value: unknown) => ErrorItem[] {
  let compiled: ReturnType<typeof Compile> | undefined;
  return (value) => {
    if (compiled === undefined) {
      Settings.Set({ maxErrors: errorsMax });
      compiled = Compile(schema);
    }
    if (compiled.Check(value)) return [];
    const errors = compiled.Errors(value) as SchemaError[];
    const items = itemsOf(errors.map((error) => ({ ...error, message: wordsOf(schema, error) })));
    return items.length > 0
      ? items
      : [{ pointer: '', code: 'invalid_value', detail: 'does not fit the schema' }];
  };
}

/** One item for each fault: the compiler reports an unknown field several times over. */
function itemsOf(errors: SchemaError[]): ErrorItem[] {
  const items = new Map<string, ErrorItem>();
  for (const error of mergeChoices(errors)) {
    for (const item of itemsOfOne(error)) items.set(`${item.pointer} ${item.code} ${item.detail}`, item);
  }
  return [...items.values()].slice(0, errorsMax);
}

function itemsOfOne(error: SchemaError): ErrorItem[] {
  const { keyword, instancePath } = error;
  const params = error.params as Record<string, unknown>;
  const names = params.additionalProperties ?? params.requiredProperties;
  if ((keyword === 'additionalProperties' || keyword === 'required') && Array.isArray(names)) {
    const detail = keyword === 'required' ? 'is required' : 'there is no such field';
    return names.map((name) => ({
      pointer: `${instancePath}/${escapePointer(String(name))}`,
      code: codeByKeyword[keyword]!,
      detail,
    }));
  }
  // Each unknown property is told as one that meets the schema `false`, and all of them again in a sum, which
  // a flood of them leaves no room for. `anyOf` only sums up.
  if (keyword === 'boolean') {
    return [{ pointer: instancePath, code: 'unknown_field', detail: 'there is no such field' }];
  }
  if (keyword === 'anyOf') return [];
  if (keyword === 'enum' && Array.isArray(params.allowedValues)) {
    const choices = params.allowedValues.map((choice) => JSON.stringify(choice)).join(' or ');
    return [{ pointer: instancePath, code: 'invalid_value', detail: `must be ${choices}` }];
  }
  if (keyword === 'const') {
    return [
      {
        pointer: instancePath,
        code: 'invalid_value',
        detail: `must be ${JSON.stringify(params.allowedValue)}`,
      },
    ];
  }
  if (keyword === 'choice') {
    const { names, isWrongType } = error.params as ChoiceParams;
    const code = isWrongType ? 'wrong_type' : 'invalid_value';
    return [{ pointer: instancePath, code, detail: `must be ${names.join(' or ')}` }];
  }
  return [
    {
      pointer: instancePath,
      code: keyword === 'type' ? 'wrong_type' : 'invalid_value',
      detail: error.message,
    },
  ];
}

/** A pattern is for machines: what people are told stands beside it in the schema, as `x-detail`. */
function wordsOf(schema: TSchema, { keyword, schemaPath, message }: SchemaError): string {
  if (keyword !== 'pattern') return message;
  let at: unknown = schema;
  for (const part of schemaPath.split('/').slice(1)) at = (at as Record<string, unknown> | undefined)?.[part];
  const detail = (at as Record<string, unknown> | undefined)?.['x-detail'];
  return typeof detail === 'string' ? detail : message;
}

function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

function readTexts(schema: TSchema, value: unknown): unknown {
  const { properties } = schema as { properties?: Record<string, { type?: string }> };
  if (!properties || typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, text]) => [
      name,
      typeof text === 'string' && Object.hasOwn(properties, name)
        ? readText(properties[name]!.type, text)
        : text,
    ]),
  );
}

function readText(type: string | undefined, text: string): unknown {
  if (type === 'integer' && /^-?(0|[1-9]\d{0,15})$/.test(text)) return Number(text);
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}
