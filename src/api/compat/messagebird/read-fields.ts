import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { ProblemError } from '../../../message/error-codes.ts';
import { contentEncoding, parseJson, readBody, requireUtf8 } from '../../body.ts';
import { queryOf } from './access-key.ts';
import { ClassicRefusal, classicCode } from './send-errors.ts';

/** What a client sent, by name, not judged yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** Steer the request itself. */
const ownParameters = new Set(['access_key', '_method']);

/**
 * The fields of a request to create something: a body of JSON or of a form, whatever media type it names (the official
 * Ruby client sends forms, curl calls everything a form), and the query, for clients that send everything there.
 */
export async function readFields(request: FastifyRequest, bytesMax: number): Promise<Fields> {
  refuseKeyed(request);
  requireUtf8(request);
  if (contentEncoding(request) !== 'identity') {
    throw new ProblemError('unsupported_media_type', 'the body must come without Content-Encoding');
  }
  const body = request.body ? await readBody(request.body as Readable, { bytesMax }) : Buffer.alloc(0);
  const isForm = !/^\s*[{["]/.test(body.subarray(0, 64).toString('latin1'));
  const sent = isForm ? formFields(new URLSearchParams(body.toString().trim())) : parseJson(body);
  if (typeof sent !== 'object' || sent === null || Array.isArray(sent)) {
    throw new ProblemError('invalid_json', 'the body must be a JSON object or a form');
  }
  return { ...formFields(withoutOwn(queryOf(request))), ...sent };
}

/** The parameters of a request that has no fields but those of its query. */
export function readQuery(request: FastifyRequest): Fields {
  return formFields(withoutOwn(queryOf(request)));
}

/** The classic API has no such header, and an answer that is kept would hold what erasing a recipient cannot find. */
export function refuseKeyed({ headers }: FastifyRequest): void {
  if (headers['idempotency-key'] === undefined) return;
  throw invalidField('Idempotency-Key', 'is not taken here: POST /v1/messages takes it');
}

export function invalidField(parameter: string, detail: string): ClassicRefusal {
  return new ClassicRefusal(422, [
    { code: classicCode.invalid, description: `${parameter} ${detail}`, parameter },
  ]);
}

function withoutOwn(query: URLSearchParams): URLSearchParams {
  return new URLSearchParams([...query].filter(([name]) => !ownParameters.has(name)));
}

/** `name=…`, `name[]=…` and `name[0]=…` for lists, `name[member]=…` for objects; a name that comes again makes a list. */
function formFields(form: URLSearchParams): Fields {
  const fields = new Map<string, unknown>();
  for (const [key, value] of form) {
    if (key === '' && value === '') continue;
    const [, name, member] = /^([A-Za-z_]{1,40})(?:\[([A-Za-z0-9_]{0,40})\])?$/.exec(key) ?? [];
    if (name === undefined) throw unreadable();
    const known = fields.get(name);
    if (member === undefined) fields.set(name, known === undefined ? value : [known, value].flat());
    else if (/^\d*$/.test(member)) fields.set(name, [known ?? [], value].flat());
    else fields.set(name, { ...(known as object), [member]: value });
  }
  return Object.fromEntries(fields);
}

function unreadable(): ProblemError {
  return new ProblemError('invalid_request', 'the body is neither a JSON object nor a form of known fields');
}
