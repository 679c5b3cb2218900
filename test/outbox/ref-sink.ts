import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A provider that keeps which message came with which reference, in the order of arrival. */
export interface RefSink {
  url: string;
  /** Messages in the order of their first arrival. */
  readonly arrivals: readonly { id: string; ref: string; key: string | undefined }[];
  /** References that came with more than one message id: staged once, sent twice. */
  readonly doubled: readonly string[];
  /** The same message again, under its own id: a provider knows it by that. */
  readonly repeats: number;
  stop(): Promise<void>;
}

interface SinkMessage {
  id: string;
  ref: string;
  metadata?: { key?: string };
}

/** Takes batches (`batch: { max }` of the route) and single messages. */
export async function startRefSink(): Promise<RefSink> {
  const arrivals: { id: string; ref: string; key: string | undefined }[] = [];
  const idOf = new Map<string, string>();
  const doubled: string[] = [];
  let repeats = 0;
  const take = ({ id, ref, metadata }: SinkMessage) => {
    const before = idOf.get(ref);
    if (before === id) repeats++;
    else if (before !== undefined) doubled.push(ref);
    else {
      idOf.set(ref, id);
      arrivals.push({ id, ref, key: metadata?.key });
    }
  };
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    try {
      for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
    } catch {
      // Whoever sent it was killed; nothing of it was taken.
      return;
    }
    const body = JSON.parse(Buffer.concat(parts).toString()) as SinkMessage | { messages: SinkMessage[] };
    const messages = 'messages' in body ? body.messages : [body];
    for (const message of messages) take(message);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ results: messages.map(({ id }) => ({ id, status: 'sent' })) }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    arrivals,
    doubled,
    get repeats() {
      return repeats;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
