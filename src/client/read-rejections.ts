import { ApiError, ConnectionError, mayPass, readProblem } from './client-error.ts';
import { asConnectionError } from './exchange.ts';
import type { Http } from './http.ts';
import type { LineError } from './resources/batch.ts';
import { retryWaitMs, wait } from './retry-wait.ts';

/** Breaks in a row without a line between them. */
const breaksMax = 8;

/**
 * The stream has no trailer, but a cut one is noticed: HTTP tells where a body ends. It is read
 * again, and what was had is passed over.
 */
export async function* readRejections(
  http: Http,
  request: { path: string; signal?: AbortSignal | undefined },
): AsyncGenerator<LineError, void, undefined> {
  const signal = request.signal ?? http.signal;
  let taken = 0;
  for (let breaks = 0; ; ) {
    let passed = 0;
    try {
      for await (const rejection of readOnce(http, { ...request, signal })) {
        if (passed++ < taken) continue;
        taken++;
        breaks = 0;
        yield rejection;
      }
      return;
    } catch (error) {
      if (signal?.aborted || !mayPass(error) || ++breaks > breaksMax) throw error;
      const retryAfterMs = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
      await wait(retryWaitMs(breaks, 10_000) + retryAfterMs, signal);
    }
  }
}

async function* readOnce(
  http: Http,
  { path, signal }: { path: string; signal: AbortSignal | undefined },
): AsyncGenerator<LineError> {
  const headers = { accept: 'application/x-ndjson' };
  const { body } = await http.stream({ method: 'GET', path, headers, signal });
  body.setEncoding('utf8');
  const parts = body[Symbol.asyncIterator]() as AsyncIterator<string>;
  let held = '';
  try {
    for (;;) {
      const next = await parts.next().catch((error: unknown) => {
        throw asConnectionError(error, { connected: true, signal });
      });
      if (next.done) break;
      const lines = (held + next.value).split('\n');
      held = lines.pop() ?? '';
      for (const line of lines) if (line !== '') yield readLine(line);
    }
  } finally {
    body.destroy();
  }
  if (held.trim() !== '') yield readLine(held);
}

function readLine(text: string): LineError {
  let line: LineError & { error?: object };
  try {
    line = JSON.parse(text);
  } catch (error) {
    throw new ConnectionError('protocol', 'the list of rejected lines holds something else', {
      cause: error,
    });
  }
  if (line.error !== undefined) throw new ApiError(readProblem(503, JSON.stringify(line.error)));
  return line;
}
