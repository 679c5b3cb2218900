import { createReadStream } from 'node:fs';
import { Agent, request } from 'undici';

/** A file that is sent in one call when the process is told to begin. */
export interface SenderTask {
  url: string;
  key: string;
  file: string;
  timeoutMs: number;
}

const readBytes = 1 << 20;

const { url, key, file, timeoutMs } = JSON.parse(process.argv[2]!) as SenderTask;
process.once('message', async () => {
  const { statusCode, body } = await request(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-ndjson' },
    body: createReadStream(file, { highWaterMark: readBytes }),
    dispatcher: new Agent({ headersTimeout: timeoutMs, bodyTimeout: timeoutMs }),
  });
  const answer = await body.text();
  process.send!({ statusCode, answer }, () => process.exit());
});
process.send!('ready');
