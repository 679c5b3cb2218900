import { isUtf8 } from 'node:buffer';
import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { ProblemError } from '../message/error-codes.ts';
import type { ApiInstance } from './context.ts';

/** A control body is small; uploads and messages have limits of their own. */
export const bodyBytesMax = 1_048_576;
/** A client that takes longer to send a small body is stuck, or means harm. */
const bodyTimeoutMs = 30_000;
const nestingMax = 64;

/** JSON bodies are read whole, within a size and a time, and checked before any schema sees them. */
export function readJsonBodies(app: ApiInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', async (request: FastifyRequest, payload: Readable) => {
    requirePlainJson(request);
    return parseJson(await readBody(payload, { bytesMax: bodyBytesMax }));
  });
}

/**
 * A JSON body that is read whole comes as it is: only uploads are decompressed.
 * @throws ProblemError `unsupported_media_type`
 */
export function requirePlainJson(request: FastifyRequest): void {
  requireUtf8(request);
  if (contentEncoding(request) === 'identity') return;
  throw new ProblemError(
    'unsupported_media_type',
    'This body must come without Content-Encoding; uploads to a batch may be gzip.',
  );
}

/** @throws ProblemError `unsupported_media_type` */
export function requireUtf8({ headers }: FastifyRequest): void {
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(headers['content-type'] ?? '')?.[1];
  if (charset === undefined || /^utf-?8$/i.test(charset)) return;
  throw new ProblemError('unsupported_media_type', 'A body must be in UTF-8.');
}

export function contentEncoding({ headers }: FastifyRequest): string {
  return (headers['content-encoding'] ?? 'identity').trim().toLowerCase();
}

/**
 * Endpoints registered by `register` get the request's body as a stream, whatever its media type, unread.
 * They read it themselves, or leave it: what is left is dropped after the answer.
 */
export function withStreamBodies(app: ApiInstance, register: (app: ApiInstance) => void): void {
  void app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    register(scope as unknown as ApiInstance);
    done();
  });
}

/** @throws ProblemError `payload_too_large`, `request_timeout`, or `invalid_request` when it breaks off. */
export function readBody(
  payload: Readable,
  settings: { bytesMax: number; timeoutMs?: number },
): Promise<Buffer> {
  const { bytesMax, timeoutMs = bodyTimeoutMs } = settings;
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(
      () =>
        fail(new ProblemError('request_timeout', `the body did not arrive within ${timeoutMs / 1_000} s`)),
      timeoutMs,
    );
    const onData = (part: Buffer) => {
      size += part.length;
      if (size > bytesMax) fail(new ProblemError('payload_too_large', `the body may have ${bytesMax} bytes`));
      else parts.push(part);
    };
    const onEnd = () => {
      release();
      resolve(parts.length === 1 ? parts[0]! : Buffer.concat(parts, size));
    };
    const onBroken = () => fail(new ProblemError('invalid_request', 'the body broke off'));
    payload.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken);

    function release(): void {
      clearTimeout(timer);
      payload.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken);
    }

    function fail(problem: ProblemError): void {
      release();
      payload.pause();
      // The sender is told of the problem before; an event without a listener would end the process.
      payload.on('error', () => {});
      reject(problem);
    }
  });
}

/**
 * One JSON text in UTF-8. What PostgreSQL cannot store (U+0000, lone surrogates) is refused here, so that
 * no statement fails on it; `undefined` for no body at all.
 */
export function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  if (!isUtf8(bytes)) throw new ProblemError('invalid_json', 'the body is not valid UTF-8');
  const text = bytes.toString();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ProblemError('invalid_json', parserWords(error));
  }
  checkStorable(value, 0);
  return value;
}

/** V8 quotes a piece of the text, which may be a secret: only the place is passed on. */
function parserWords(error: unknown): string {
  const place = error instanceof Error ? /at position \d+/.exec(error.message)?.[0] : undefined;
  return place ? `there is a syntax error ${place}` : 'there is a syntax error, or the text ends too soon';
}

function checkStorable(value: unknown, depth: number): void {
  if (depth > nestingMax) {
    throw new ProblemError('invalid_json', `arrays and objects may be nested ${nestingMax} deep`);
  }
  if (typeof value === 'string') checkText(value);
  else if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new ProblemError('invalid_json', 'a number is too large');
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      checkText(name);
      checkStorable(member, depth + 1);
    }
  }
}

function checkText(text: string): void {
  if (/[\0\p{Surrogate}]/u.test(text)) {
    throw new ProblemError('invalid_json', 'a text holds U+0000 or half of a surrogate pair');
  }
}
