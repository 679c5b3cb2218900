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

  /** True for a 2xx; false for any other answer, or none in time. */
  post(url: string, body: string): Promise<boolean> {
    return new Promise((resolve) => {
      const to = new URL(url);
      const request =
        to.protocol === 'https:'
          ? httpsRequest(to, { method: 'POST', headers, agent: this.#secure })
          : httpRequest(to, { method: 'POST', headers, agent: this.#plain });
      const timer = setTimeout(() => request.destroy(), timeoutMs);
      let isTaken = false;
      request.once('response', (response) => {
        const { statusCode = 0 } = response;
        response.once('end', () => {
          isTaken = statusCode >= 200 && statusCode < 300;
        });
        response.resume();
      });
      request.on('error', () => {});
      request.once('close', () => {
        clearTimeout(timer);
        resolve(isTaken);
      });
      request.end(body);
    });
  }

  /** Ends what is under way as well. */
  stop(): void {
    this.#plain.destroy();
    this.#secure.destroy();
  }
}
