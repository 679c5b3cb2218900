import { Client, type Dispatcher } from 'undici';

export interface PosterSettings {
  url: string;
  connections: number;
  /** `request` is undici's everyday call, `dispatch` its barest. */
  api: 'request' | 'dispatch';
}

export interface Poster {
  /**
   * POSTs one JSON body and resolves when its 2xx answer is read to the end. Waits for a free connection. `headers` go in the
   * place of the idempotency key.
   */
  post(body: string, key: string, headers?: Record<string, string>): Promise<void>;
  close(): Promise<void>;
}

/**
 * The quickest plain POST that undici gives: a client per connection and no more than one request on each, so
 * that nothing searches a pool. The bare loop and the peers' jobs use this same code.
 */
export function createPoster({ url, connections, api }: PosterSettings): Poster {
  const { origin, pathname } = new URL(url);
  const clients = Array.from({ length: connections }, () => new Client(origin, { pipelining: 1 }));
  const idle = [...clients];
  const waiting: ((client: Client) => void)[] = [];
  const send = api === 'request' ? postByRequest : postByDispatch;
  return {
    async post(body, key, headers) {
      const client = idle.pop() ?? (await new Promise<Client>((resolve) => waiting.push(resolve)));
      try {
        await send(client, {
          path: pathname,
          method: 'POST',
          headers: { 'content-type': 'application/json', ...(headers ?? { 'idempotency-key': key }) },
          body,
        });
      } finally {
        const next = waiting.shift();
        if (next) next(client);
        else idle.push(client);
      }
    },
    async close() {
      await Promise.all(clients.map((client) => client.close()));
    },
  };
}

async function postByRequest(client: Client, options: Dispatcher.RequestOptions): Promise<void> {
  const { statusCode, body } = await client.request(options);
  await body.dump();
  if (statusCode >= 300) throw new Error(`the sink answered ${statusCode}`);
}

function postByDispatch(client: Client, options: Dispatcher.RequestOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    let status = 0;
    client.dispatch(options, {
      onRequestStart() {},
      onResponseStart(_controller, statusCode) {
        status = statusCode;
      },
      onResponseData() {},
      onResponseEnd() {
        if (status < 300) resolve();
        else reject(new Error(`the sink answered ${status}`));
      },
      onResponseError(_controller, error) {
        reject(error);
      },
    });
  });
}
