import { pipeline } from 'node:stream/promises';
import { checkCsv } from './check-csv.ts';
import { asConnectionError } from './exchange.ts';
import type { Http } from './http.ts';

export interface CsvExport {
  id: string;
  /** Goes on behind the message with this id, without a header. */
  after?: string;
  to: NodeJS.WritableStream;
  signal?: AbortSignal | undefined;
}

export async function exportCsv(
  http: Http,
  { id, after, to, ...options }: CsvExport,
): Promise<{ count: number }> {
  const signal = options.signal ?? http.signal;
  const answer = await http.stream({
    method: 'GET',
    path: `/v1/batches/${encodeURIComponent(id)}/export`,
    query: { format: 'csv', after },
    signal,
  });
  try {
    let count = 0;
    const onWhole = (messages: number) => {
      count = messages;
    };
    await pipeline(answer.body, (bytes) => checkCsv(bytes, onWhole), to, { end: false });
    return { count };
  } catch (error) {
    throw answer.body.complete ? error : asConnectionError(error, { connected: true, signal });
  }
}
