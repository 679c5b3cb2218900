import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

const file = (name: string) => fileURLToPath(new URL(`../api/tls/${name}`, import.meta.url));

/** What a server trusts that is to reach the provider, as NODE_EXTRA_CA_CERTS takes it. */
export const providerCertificate = file('localhost.crt');

/** A provider over TLS that takes connections, and answers their handshakes only when it is told to. */
export interface HeldProvider {
  url: string;
  /** Idempotency keys of the requests, in the order in which their heads came. */
  received: string[];
  /** Connections on which nothing was heard of a request yet, and that have not ended. */
  silent(): number;
  /** From now on handshakes are answered, those of the connections that wait included. */
  answerHandshakes(): void;
  stop(): Promise<void>;
}

export async function startHeldProvider(): Promise<HeldProvider> {
  const [cert, key] = await Promise.all([readFile(providerCertificate), readFile(file('localhost.key'))]);
  const received: string[] = [];
  const open = new Set<Socket>();
  const silent = new Map<number, Socket>();
  let held = true;
  const requests = createHttps({ cert, key }, (request, response) => {
    silent.delete(request.socket.remotePort!);
    received.push(request.headers['idempotency-key'] as string);
    request.resume();
    response.end('{}');
  });
  // Nothing is read of a connection before it is handed on, so that its handshake waits.
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    const port = socket.remotePort!;
    open.add(socket);
    silent.set(port, socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      open.delete(socket);
      if (silent.get(port) === socket) silent.delete(port);
    });
    if (!held) handOn(socket);
  });
  const handOn = (socket: Socket) => {
    requests.emit('connection', socket);
    socket.resume();
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}/`,
    received,
    silent: () => silent.size,
    answerHandshakes() {
      held = false;
      for (const socket of silent.values()) handOn(socket);
    },
    async stop() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
