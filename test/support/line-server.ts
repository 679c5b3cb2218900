import type { IncomingMessage, ServerResponse } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { answerJson, answerProblem, type ScriptedServer, startScriptedServer } from './scripted-server.ts';

export interface LineServer extends ScriptedServer {
  /** Durable lines in order; of CSV with the header. */
  lines: string[];
  /** Upload-Line of each append. */
  uploadLines: number[];
  contentTypes: string[];
  /** Idempotency keys of the batches that were asked for. */
  keys: Set<string>;
  closed(): boolean;
  canceled(): boolean;
}

/** How an append goes wrong; the n-th append does the n-th fault, further ones go well. */
export type Fault =
  | { kind: 'cut'; afterBytes: number }
  | { kind: 'lostAnswer' }
  | { kind: 'refuse'; status: number; code: string; retryAfter?: number }
  | { kind: 'mismatch' };

/**
 * The upload half of the API as the interface describes it, kept in memory: whole lines become durable, a cut
 * upload keeps its whole lines, `Upload-Line` must be the next one.
 */
export async function startLineServer({
  format = 'ndjson',
  faults = [],
  onCut,
  closes = true,
}: {
  format?: 'ndjson' | 'csv';
  faults?: Fault[];
  onCut?: () => void;
  /** Whether a batch can be closed. */
  closes?: boolean;
} = {}): Promise<LineServer> {
  const lines: string[] = [];
  const uploadLines: number[] = [];
  const contentTypes: string[] = [];
  const keys = new Set<string>();
  let isClosed = false;
  let isCanceled = false;
  const batch = () => ({
    id: 'b1',
    state: isClosed ? 'delivering' : 'open',
    route: 'r',
    nextLine: lines.length + 1,
    counts: { accepted: lines.length - (format === 'csv' && lines.length > 0 ? 1 : 0), rejected: 0 },
    createdAt: '2026-01-01T00:00:00Z',
    closedAt: isClosed ? '2026-01-01T00:00:01Z' : null,
    doneAt: null,
  });

  async function append(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const fault = faults.shift();
    const from = Number(request.headers['upload-line']);
    uploadLines.push(from);
    contentTypes.push(String(request.headers['content-type']));
    if (fault?.kind === 'refuse')
      return answerProblem(
        response,
        fault.status,
        fault.code,
        fault.retryAfter === undefined ? {} : { retryAfter: fault.retryAfter },
      );
    if (isClosed) return answerProblem(response, 409, 'batch_closed');
    if (fault?.kind === 'mismatch' || from !== lines.length + 1)
      return answerProblem(response, 409, 'upload_line_mismatch', { nextLine: lines.length + 1 });
    const body = await readUpTo(request, fault?.kind === 'cut' ? fault.afterBytes : undefined);
    const text = (
      request.headers['content-encoding'] === 'gzip' ? gunzipSync(body.bytes) : body.bytes
    ).toString('utf8');
    const whole = body.ended ? text : text.slice(0, text.lastIndexOf('\n') + 1);
    const came = whole.split('\n');
    if (came.at(-1) === '') came.pop();
    // On a resume the header comes again and does not count again.
    for (const line of format === 'csv' && from > 1 ? came.slice(1) : came) lines.push(line);
    if (!body.ended) {
      onCut?.();
      return void request.socket.resetAndDestroy();
    }
    if (new URL(request.url!, 'http://x').searchParams.get('close') === 'true') isClosed = true;
    if (fault?.kind === 'lostAnswer') return void request.socket.resetAndDestroy();
    answerJson(response, 200, { accepted: came.length, rejected: 0, nextLine: lines.length + 1, errors: [] });
  }

  const server = await startScriptedServer(async (request, response) => {
    const path = request.url!.split('?')[0];
    if (request.method === 'POST' && path === '/v1/batches') {
      request.resume();
      const key = String(request.headers['idempotency-key']);
      const replayed = keys.has(key);
      keys.add(key);
      return answerJson(
        response,
        201,
        { ...batch(), state: 'open', nextLine: 1, closedAt: null },
        replayed ? { 'idempotent-replayed': 'true' } : {},
      );
    }
    if (path === '/v1/batches/b1' && request.method === 'GET') return answerJson(response, 200, batch());
    if (path === '/v1/batches/b1/messages') return await append(request, response);
    if (path === '/v1/batches/b1/cancel') {
      isCanceled = true;
      return answerJson(response, 200, { ...batch(), state: 'canceled' });
    }
    if (path === '/v1/batches/b1/close') {
      if (!closes) return answerProblem(response, 500, 'internal');
      isClosed = true;
      return answerJson(response, 200, batch());
    }
    answerProblem(response, 404, 'not_found');
  });
  return {
    ...server,
    lines,
    uploadLines,
    contentTypes,
    keys,
    closed: () => isClosed,
    canceled: () => isCanceled,
  };
}

function readUpTo(
  request: IncomingMessage,
  bytesMax: number | undefined,
): Promise<{ bytes: Buffer; ended: boolean }> {
  const parts: Buffer[] = [];
  let length = 0;
  return new Promise((resolve, reject) => {
    request.on('data', (part: Buffer) => {
      parts.push(part);
      length += part.length;
      if (bytesMax !== undefined && length >= bytesMax) {
        request.pause();
        resolve({ bytes: Buffer.concat(parts).subarray(0, bytesMax), ended: false });
      }
    });
    request.on('end', () => resolve({ bytes: Buffer.concat(parts), ended: true }));
    request.on('error', reject);
  });
}
