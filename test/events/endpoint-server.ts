import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

/** A request that the published library took for genuine. */
export interface TakenCallback {
  id: string;
  path: string;
  payload: { type: string; id: string; timestamp: string; data: Record<string, never> };
}

export interface EndpointServer {
  url: string;
  /** In the order in which they came, one that came again as well. */
  taken: TakenCallback[];
  /** Requests whose signature was not that of a secret, which were refused. */
  forged: number;
  /** Secrets by path. */
  secrets: Map<string, string>;
  /** What is answered by path, instead of 200. */
  answers: Map<string, number>;
  close(): Promise<void>;
}

/** An account's endpoints, as the owner would write them: verified by the published `standardwebhooks`. */
export async function startEndpoints(): Promise<EndpointServer> {
  const taken: TakenCallback[] = [];
  const secrets = new Map<string, string>();
  const answers = new Map<string, number>();
  const state = { forged: 0 };
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const path = request.url ?? '';
      const status = answers.get(path) ?? 200;
      try {
        const text = Buffer.concat(parts).toString();
        const headers = request.headers as Record<string, string>;
        const payload = new Webhook(secrets.get(path) ?? '').verify(text, headers);
        if (status < 300) {
          taken.push({ id: headers['webhook-id']!, path, payload: payload as TakenCallback['payload'] });
        }
      } catch {
        state.forged++;
        response.writeHead(401).end();
        return;
      }
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    taken,
    secrets,
    answers,
    get forged() {
      return state.forged;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
