import { Agent, request as httpRequest } from 'node:http';
import { request as httpsRequest, Agent as SecureAgent } from 'node:https';

const timeoutMs = 30_000;
const headers = { 'content-type': 'application/json' };

/** Posts JSON over connections that are kept. `fetch` took half a millisecond of the provider's thread for each post. */
export class ReceiptPoster {
  readonly #plain: Agent;
  readonly #secure: SecureAgent;

  constructor(connections: number) {
    const settings = { keepAlive: true, maxSockets: connections };
    this.#plain = new Agent(settings);
    this.#secure = new SecureAgent(settings);
  }

  /** Whether it was answered with a 2xx. */
  isTaken(url: string, body: string): Promise<boolean> {
    const isSecure = url.startsWith('https:');
    const options = { method: 'POST', headers, timeout: timeoutMs };
    return new Promise((resolve) => {
      const request = isSecure
        ? httpsRequest(url, { ...options, agent: this.#secure })
        : httpRequest(url, { ...options, agent: this.#plain });
      request.once('response', (response) => {
        const { statusCode = 0 } = response;
        response.once('close', () => resolve(response.complete && statusCode >= 200 && statusCode < 300));
        response.resume();
      });
      request.once('timeout', () => request.destroy());
      request.once('error', () => resolve(false));
      request.end(body);
    });
  }

  /** Ends what is under way as well. */
  stop(): void {
    this.#plain.destroy();
    this.#secure.destroy();
  }
}
