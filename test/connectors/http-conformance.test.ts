import { httpConnector } from '../../src/connectors/http/http-connector.ts';
import type { ConformanceProvider, ProviderConduct } from './conformance.ts';
import { describeConnector } from './conformance.ts';
import type { Script } from './scripted-provider.ts';
import { batchResults, httpAnswer, startProvider } from './scripted-provider.ts';

const scripts: Record<ProviderConduct, Script> = {
  take: (socket, request) => {
    const batch = request.body.startsWith('{"messages":');
    socket.write(httpAnswer(200, batch ? batchResults(request) : '{"id":"p-1"}'));
  },
  busy: (socket) => socket.write(httpAnswer(503, '')),
  refuse: (socket) => socket.write(httpAnswer(422, '{"error":{"code":"badNumber"}}')),
  hang: () => {},
  cut: (socket) => socket.resetAndDestroy(),
  'cut-once': (socket, request, n) => (n === 1 ? scripts.cut : scripts.take)(socket, request, n),
};

async function provider(
  conduct: ProviderConduct,
  options: Record<string, unknown>,
): Promise<ConformanceProvider> {
  const scripted = await startProvider(scripts[conduct]);
  return {
    options: { url: scripted.url, allowPrivate: true, ...options },
    receivedIds: () => scripted.requests.flatMap(({ body }) => idsIn(body)),
    received: (n) => scripted.received(n),
    connectionsOpenMax: () => scripted.connections.openMax,
    stop: () => scripted.stop(),
  };
}

function idsIn(body: string): string[] {
  const value = JSON.parse(body) as { id: string; messages?: { id: string }[] };
  return value.messages === undefined ? [value.id] : value.messages.map(({ id }) => id);
}

async function unreachable(): Promise<Record<string, unknown>> {
  const gone = await startProvider(() => {});
  await gone.stop();
  return { url: gone.url, allowPrivate: true };
}

describeConnector('the http connector', {
  connector: httpConnector,
  startProvider: (conduct, timeoutMs) => provider(conduct, { timeoutMs }),
  unreachable,
});

describeConnector('the http connector with batches', {
  connector: httpConnector,
  startProvider: (conduct, timeoutMs) => provider(conduct, { timeoutMs, batch: { max: 50 } }),
  unreachable: async () => ({ ...(await unreachable()), batch: { max: 50 } }),
});
