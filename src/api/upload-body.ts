import { createHash, type Hash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { FastifyRequest } from 'fastify';
import type { UploadFormat } from '../intake/slot-cutter.ts';
import { ProblemError } from '../message/error-codes.ts';
import { contentEncoding, requireUtf8 } from './body.ts';
import type { KeptBody } from './kept-body.ts';

const formatByType: Record<string, UploadFormat> = {
  'application/x-ndjson': 'ndjson',
  'application/ndjson': 'ndjson',
  'application/jsonl': 'ndjson',
  'text/csv': 'csv',
  'application/json': 'json',
};

/** The media types that an upload may have, for the documentation. */
export const uploadBodies = {
  'application/x-ndjson': 'one message a line',
  'text/csv': 'a header that names the fields, then one message a record (RFC 4180)',
  'application/json': 'an array of messages',
};

/** @throws ProblemError `unsupported_media_type` */
export function uploadFormat(request: FastifyRequest): UploadFormat {
  requireUtf8(request);
  const type = mediaType(request);
  const format = formatByType[type];
  if (format) return format;
  throw new ProblemError(
    'unsupported_media_type',
    `An upload is ${Object.keys(uploadBodies).join(', ')}${type ? `; this is ${type.slice(0, 100)}` : ''}.`,
  );
}

export function mediaType(request: FastifyRequest): string {
  return (request.headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
}

/** `Upload-Line` of a resumed upload. */
export function uploadLine(request: FastifyRequest): number | undefined {
  const header = request.headers['upload-line'];
  if (header === undefined) return undefined;
  const line = Number(header);
  if (typeof header === 'string' && /^[1-9]\d{0,14}$/.test(header)) return line;
  throw new ProblemError('invalid_request', 'Upload-Line must be a line number: 1, 2, 3, …');
}

export interface UploadBody {
  /** Decompressed. Throws a ProblemError when the body breaks off or is not valid gzip. */
  bytes: AsyncIterable<Uint8Array>;
  /** SHA-256 of the body as it was sent, once it was read to its end. */
  hash(): Buffer;
  /** The same bytes once more, where the body was kept. */
  again(): AsyncIterable<Uint8Array>;
}

/** @throws ProblemError `unsupported_media_type` for a content encoding other than gzip */
export function uploadBody(
  request: FastifyRequest,
  settings: {
    hashed: boolean;
    kept: () => KeptBody | undefined;
    idleMs: number;
    onBytes: (count: number) => void;
  },
): UploadBody {
  const encoding = contentEncoding(request);
  if (encoding !== 'identity' && encoding !== 'gzip' && encoding !== 'x-gzip') {
    throw new ProblemError('unsupported_media_type', 'Content-Encoding may be gzip, or absent.');
  }
  const hash = settings.hashed ? createHash('sha256') : undefined;
  const { kept, idleMs, onBytes } = settings;
  const raw = rawBytes(request.raw, { hash, kept, idleMs, onBytes });
  const decoded = (bytes: AsyncGenerator<Buffer>) => (encoding === 'identity' ? bytes : gunzipped(bytes));
  return {
    bytes: decoded(raw),
    hash: () => hash!.digest(),
    again: () => decoded(kept()!.read()),
  };
}

/** Aborted when the connection breaks before the body's end, even if nobody reads on. */
export function senderGone(raw: IncomingMessage): AbortSignal {
  return closedBefore(raw, () => raw.complete);
}

/** Aborted when the connection closes before the answer was written to it. */
export function answerUnwanted(raw: ServerResponse): AbortSignal {
  return closedBefore(raw, () => raw.writableFinished);
}

function closedBefore(raw: IncomingMessage | ServerResponse, isOver: () => boolean): AbortSignal {
  const gone = new AbortController();
  const onClose = () => {
    if (!isOver()) gone.abort(brokenOff());
  };
  if (raw.closed) onClose();
  else raw.once('close', onClose);
  return gone.signal;
}

/** Reads a body to its end for its hash alone. */
export async function hashUpload(request: FastifyRequest, { idleMs }: { idleMs: number }): Promise<Buffer> {
  const hash = createHash('sha256');
  for await (const _ of rawBytes(request.raw, { hash, idleMs, onBytes: () => {} }));
  return hash.digest();
}

async function* rawBytes(
  raw: Readable,
  settings: {
    hash: Hash | undefined;
    kept?: () => KeptBody | undefined;
    idleMs: number;
    onBytes: (count: number) => void;
  },
): AsyncGenerator<Buffer> {
  const { hash, kept, idleMs, onBytes } = settings;
  try {
    // The answer still has to go out on this socket when the upload is refused half-way.
    for await (const bytes of withoutIdling(raw.iterator({ destroyOnReturn: false }), idleMs)) {
      hash?.update(bytes);
      await kept?.()?.append(bytes);
      onBytes(bytes.length);
      yield bytes;
    }
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    throw brokenOff();
  }
}

function brokenOff(): ProblemError {
  return new ProblemError('invalid_request', 'The body broke off. Resume the upload from nextLine.');
}

/** Only the time in which bytes are waited for counts, not that in which nobody asks for them. */
async function* withoutIdling(
  iterator: AsyncIterableIterator<Buffer>,
  idleMs: number,
): AsyncGenerator<Buffer> {
  for (;;) {
    const next = iterator.next();
    // Heard by the race below; what comes when the upload was given up for its silence tells nothing new.
    next.catch(() => {});
    let timer: NodeJS.Timeout | undefined;
    const idle = new Promise<never>((_, reject) => {
      const problem = `Nothing came for ${idleMs / 1_000} s. Resume the upload from nextLine.`;
      timer = setTimeout(() => reject(new ProblemError('request_timeout', problem)), idleMs);
    });
    try {
      const { done, value } = await Promise.race([next, idle]);
      if (done) return;
      yield value;
    } finally {
      clearTimeout(timer);
    }
  }
}

async function* gunzipped(raw: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const gunzip = createGunzip();
  const feeding = feed(raw, gunzip);
  feeding.catch((error: unknown) => gunzip.destroy(error as Error));
  try {
    for await (const bytes of gunzip) yield bytes as Buffer;
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    throw new ProblemError('invalid_request', 'The body is not valid gzip, or ends too soon.');
  } finally {
    gunzip.destroy();
  }
}

async function feed(raw: AsyncIterable<Buffer>, gunzip: ReturnType<typeof createGunzip>): Promise<void> {
  for await (const bytes of raw) {
    if (gunzip.destroyed) return;
    if (gunzip.write(bytes)) continue;
    await new Promise<void>((resolve) => {
      const go = () => {
        gunzip.off('drain', go).off('close', go);
        resolve();
      };
      gunzip.on('drain', go).on('close', go);
    });
  }
  gunzip.end();
}
