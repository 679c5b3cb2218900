import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, gunzip, gzip } from 'node:zlib';
import type { FixedRequest } from './outbox-session.ts';

const compress = promisify(gzip);
const decompress = promisify(gunzip);

export interface StoredContents {
  /** `[[staged id, bytes], …]` */
  contents: string;
  /** The messages one after another, gzip. */
  body: Buffer;
}

export function newRequestKey(): string {
  return `outbox/${randomUUID()}`;
}

/** A request as it is kept: the texts as they were staged, to the byte. */
export async function encodeRequest(messages: FixedRequest['messages']): Promise<StoredContents> {
  const texts = messages.map(({ text }) => Buffer.from(text));
  const contents = JSON.stringify(messages.map(({ stagedId }, index) => [stagedId, texts[index]!.length]));
  return { contents, body: await compress(Buffer.concat(texts), { level: constants.Z_BEST_SPEED }) };
}

export async function decodeRequest({ contents, body }: StoredContents): Promise<FixedRequest['messages']> {
  const bytes = await decompress(body);
  let at = 0;
  return (JSON.parse(contents) as [number, number][]).map(([stagedId, length]) => {
    const text = bytes.toString('utf8', at, at + length);
    at += length;
    return { stagedId, text };
  });
}
