import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type DeliveryHost, startDelivery } from '../../src/delivery/processes/delivery-host.ts';
import { DeliveryTally } from '../../src/delivery/processes/delivery-tally.ts';
import { ReceiptMatcher, type ReceiptMatcherSettings } from '../../src/events/receipts/receipt-matcher.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { startApi, type TestApi } from '../api/start-api.ts';
import { until } from '../delivery/mill.ts';
import { testSecretKey } from '../support/test-secrets.ts';

/** The API, a worker and who matches receipts, before a provider that answers as the test says. */
export interface ReceiptsSite {
  api: TestApi;
  /** What the provider does with a send; by default it takes it, and names it `p-<id>`. */
  onSend: (message: { id: string; key: string }, response: ServerResponse) => void;
  /** Matches what has come; before that it stays where it was stored. */
  match(): Promise<void>;
  matcher(settings?: Partial<ReceiptMatcherSettings>): ReceiptMatcher;
  /** Makes a route of this name to the provider; the answer is where the provider posts receipts. */
  route(name: string, fields?: Record<string, unknown>): Promise<string>;
  send(route: string, count?: number): Promise<string[]>;
  tell(url: string, receipts: unknown): Promise<Response>;
  stateOf(id: string): Promise<string>;
  /** The present value of `millrace_receipts_total` by its result. */
  told(): Promise<Record<string, number>>;
  close(): Promise<void>;
}

export async function startReceiptsSite(): Promise<ReceiptsSite> {
  const api = await startApi();
  const { metrics } = api.context;
  const takes: ReceiptsSite['onSend'] = ({ id }, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ id: `p-${id}` }));
  };
  const provider = createServer((request: IncomingMessage, response) => {
    let body = '';
    request.on('data', (part) => {
      body += part;
    });
    request.on('end', () => {
      const key = request.headers['idempotency-key'] as string;
      site.onSend({ id: (JSON.parse(body) as { id: string }).id, key }, response);
    });
  });
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  const providerUrl = `http://127.0.0.1:${(provider.address() as AddressInfo).port}/`;
  const tally = new DeliveryTally(metrics);
  const worker: DeliveryHost = await startDelivery({
    ...{ databaseUrl: api.databaseUrl, secretKeys: testSecretKey, poolSize: 4, namedStatements: true },
    ...{ leaseMs: 5_000, logLevel: 'silent' },
    onReport: (report) => tally.take(0, report),
    onFailure(error) {
      throw error;
    },
  });
  const site: ReceiptsSite = {
    api,
    onSend: takes,
    matcher: (settings) =>
      new ReceiptMatcher({
        ...{ database: api.context.database, clock: systemClock, onCounted: metrics.receiptsTold },
        givesWay: () => false,
        ...settings,
      }),
    match: () => site.matcher().runOnce(),
    async route(name, fields) {
      const body = { connector: 'http', url: providerUrl, allowPrivate: true, breaker: false, ...fields };
      return (await api.call('PUT', `/v1/routes/${name}`, { body })).json.receiptsUrl;
    },
    async send(route, count = 1) {
      const messages = Array.from({ length: count }, (_, n) => ({
        to: `+3161234${1_000 + n}`,
        body: 'x',
        route,
      }));
      const { json } = await api.call('POST', '/v1/messages', { body: messages });
      return json.messages.map(({ id }: { id: string }) => id);
    },
    tell: (url, receipts) => fetch(url, { method: 'POST', body: JSON.stringify(receipts) }),
    stateOf: async (id) => (await api.call('GET', `/v1/messages/${id}`)).json.state,
    async told() {
      const page = await metrics.render();
      const lines = page.matchAll(/^millrace_receipts_total\{result="(\w+)"\} (\d+)$/gm);
      return Object.fromEntries([...lines].map(([, result, count]) => [result, Number(count)]));
    },
    async close() {
      await worker.stop({ deadlineMs: 5_000 });
      await api.stop();
      provider.close();
      provider.closeAllConnections();
    },
  };
  return site;
}

/** Waits until all of these messages are in a state. */
export async function allIn(site: ReceiptsSite, ids: readonly string[], state: string): Promise<void> {
  for (const id of ids) await until(async () => (await site.stateOf(id)) === state);
}

/** Waits until so many more receipts than before have been counted as these results; a worker tells what it has done each second, late. */
export async function toldMore(
  site: ReceiptsSite,
  before: Record<string, number>,
  more: Record<string, number>,
): Promise<void> {
  const isTold = async () => {
    const now = await site.told();
    return Object.entries(more).every(
      ([result, count]) => (now[result] ?? 0) - (before[result] ?? 0) >= count,
    );
  };
  await until(isTold);
}
