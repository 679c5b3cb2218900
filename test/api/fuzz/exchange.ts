import { Agent, request } from 'node:http';
import net from 'node:net';
import type { FuzzRequest } from './random-request.ts';

export interface FuzzAnswer {
  /** Undefined where the connection was closed without an answer. */
  status: number | undefined;
  contentType: string;
  text: string;
}

/** No answer is so long in coming that is not a hang, on a machine with other work. */
const answerMsMax = 30_000;
/** What is kept of an answer: enough to show, and to find ids in. */
const textLengthMax = 20_000;

/** Sends requests over connections that are kept. */
export function createExchange(url: string, adminKey: string, connections: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  return {
    /** Not `fetch`, which mends or refuses much of what a hostile client would send. */
    send({ method, path, headers, body }: FuzzRequest): Promise<FuzzAnswer> {
      return new Promise((resolve, reject) => {
        const outgoing = request(
          url + path,
          {
            method,
            agent,
            headers: { authorization: `Bearer ${adminKey}`, 'content-length': body.length, ...headers },
            signal: AbortSignal.timeout(answerMsMax),
          },
          (response) => {
            const parts: Buffer[] = [];
            const contentType = response.headers['content-type'] ?? '';
            if (contentType.startsWith('text/event-stream')) {
              // It does not end by itself.
              resolve({ status: response.statusCode, contentType, text: '' });
              response.on('error', () => {});
              response.destroy();
              return;
            }
            response.on('data', (part) => parts.push(part));
            response.on('error', reject);
            response.on('end', () => {
              const text = Buffer.concat(parts).subarray(0, textLengthMax).toString();
              resolve({ status: response.statusCode, contentType, text });
            });
          },
        );
        outgoing.on('error', reject);
        outgoing.end(body);
      });
    },
    close: () => agent.destroy(),
  };
}

/** Writes bytes as they are on a connection of their own, ends it, and takes what comes back first. */
export function sendBytes(url: string, bytes: Buffer): Promise<FuzzAnswer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    const socket = net.connect({ host: hostname, port: Number(port) }, () => socket.end(bytes));
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no answer and no end within ${answerMsMax} ms`));
    }, answerMsMax);
    const end = () => {
      clearTimeout(timer);
      const text = Buffer.concat(parts).subarray(0, textLengthMax).toString('latin1');
      const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
      resolve({ status: status === undefined ? undefined : Number(status), contentType: '', text });
    };
    socket.on('data', (part) => parts.push(part));
    socket.on('close', end);
    // A connection that is reset by the server is one that it closed.
    socket.on('error', () => {});
  });
}
