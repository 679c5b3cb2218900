import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:net';

export interface SeenRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string;
}

export interface ScriptedProvider {
  url: string;
  port: number;
  requests: SeenRequest[];
  /** Connections accepted in all, and the most that were open at once. */
  connections: { accepted: number; openMax: number };
  /** Resolves when the provider has read its n-th request. */
  received(n: number): Promise<void>;
  stop(): Promise<void>;
}

/** What a provider does with a request, on the raw socket: `n` counts requests from 1. */
export type Script = (socket: Socket, request: SeenRequest, n: number) => void;

/** A provider on a bare TCP socket, so that it can misbehave in ways an HTTP server would not let it. */
export async function startProvider(
  script: Script,
  onConnection: (socket: Socket) => void = () => {},
): Promise<ScriptedProvider> {
  const requests: SeenRequest[] = [];
  const connections = { accepted: 0, openMax: 0 };
  const open = new Set<Socket>();
  let waiters: { n: number; resolve: () => void }[] = [];
  const server = createServer((socket) => {
    connections.accepted += 1;
    open.add(socket);
    connections.openMax = Math.max(connections.openMax, open.size);
    socket.on('error', () => {});
    socket.on('close', () => open.delete(socket));
    onConnection(socket);
    readRequests(socket, (request) => {
      requests.push(request);
      waiters.filter(({ n }) => n <= requests.length).forEach(({ resolve }) => void resolve());
      waiters = waiters.filter(({ n }) => n > requests.length);
      script(socket, request, requests.length);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/send`,
    port,
    requests,
    connections,
    received(n) {
      if (requests.length >= n) return Promise.resolve();
      return new Promise((resolve) => waiters.push({ n, resolve }));
    },
    async stop() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

/** The text of an HTTP answer. */
export function httpAnswer(status: number, body: string, headers: Record<string, string> = {}): string {
  const lines = Object.entries({ 'content-length': String(Buffer.byteLength(body)), ...headers });
  return `HTTP/1.1 ${status} X\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`;
}

export function answerWith(status: number, body: string, headers?: Record<string, string>): Script {
  return (socket) => socket.write(httpAnswer(status, body, headers));
}

/** Results in which every message of a batch was sent. */
export function batchResults(request: SeenRequest): string {
  const { messages } = JSON.parse(request.body) as { messages: { id: string }[] };
  return JSON.stringify({
    results: messages.map(({ id }) => ({ id, status: 'sent', providerRef: `p-${id}` })),
  });
}

function readRequests(socket: Socket, onRequest: (request: SeenRequest) => void): void {
  let unread = Buffer.alloc(0);
  socket.on('data', (data: Buffer) => {
    unread = Buffer.concat([unread, data]);
    for (;;) {
      const headEnd = unread.indexOf('\r\n\r\n');
      if (headEnd < 0) return;
      const [first, ...lines] = unread.toString('latin1', 0, headEnd).split('\r\n');
      const headers = Object.fromEntries(lines.map((line) => line.split(/:\s*(.*)/, 2) as [string, string]));
      const bodyEnd = headEnd + 4 + Number(headers['content-length'] ?? 0);
      if (unread.length < bodyEnd) return;
      const [method, path] = first!.split(' ');
      const body = unread.toString('utf8', headEnd + 4, bodyEnd);
      unread = unread.subarray(bodyEnd);
      onRequest({ method: method!, path: path!, headers, body });
    }
  });
}
