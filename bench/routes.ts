import type { Millrace } from './millrace.ts';

export const floodRoute = 'flood';

/** A route that takes messages and lets next to none out: what is measured is the way in. */
export async function putIdleRoute(millrace: Millrace): Promise<void> {
  await putRoute(millrace, { url: 'http://127.0.0.1:9/', ratePerSecond: 1, concurrency: 1 });
}

/** 500 messages in a POST, to a sink that answers for each. */
export async function putBatchedRoute(
  millrace: Millrace,
  url: string,
  ratePerSecond?: number,
): Promise<void> {
  await putRoute(millrace, {
    url,
    batch: { max: 500 },
    ...(ratePerSecond !== undefined && { ratePerSecond }),
  });
}

export async function putSingleRoute(
  millrace: Millrace,
  route: { url: string; concurrency?: number; ratePerSecond?: number },
): Promise<void> {
  await putRoute(millrace, route);
}

/** All messages go to one host, which the limits of a webhook route would give a part of its connections. */
export async function putWebhookRoute(
  millrace: Millrace,
  route: { secret: string; connections: number },
): Promise<void> {
  const { secret, connections } = route;
  await putRoute(millrace, {
    connector: 'webhook',
    secrets: [{ secret }],
    concurrency: Math.ceil((connections * 4) / 3) + 1,
    destinations: [{ match: '*', concurrency: connections }],
  });
}

async function putRoute(millrace: Millrace, options: Record<string, unknown>): Promise<void> {
  await millrace.call('PUT', `/v1/routes/${floodRoute}`, {
    body: { connector: 'http', allowPrivate: true, ...options },
  });
}
