import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { ApiContext } from '../../src/api/context.ts';
import { writesElsewhere } from '../../src/api/elsewhere/writes-elsewhere.ts';
import { type CuttingProxy, startCuttingProxy } from '../support/cutting-proxy.ts';
import {
  type Handler,
  readBody,
  type ScriptedServer,
  startScriptedServer,
} from '../support/scripted-server.ts';
import { startApi, type TestApi } from './start-api.ts';

/** A server near the primary, and others that are far from it. */
export interface FarSite {
  home: TestApi;
  /** By way of something that can be cut. */
  way: CuttingProxy;
  startFar(
    options: { writeForwardUrl?: string; flyReplayRegion?: string; flyRegion?: string },
    overrides?: Partial<ApiContext>,
  ): Promise<TestApi>;
  /** A server that is forwarded to and does what a test tells it to. */
  startFarOf(handle: Handler): Promise<{ target: ScriptedServer; api: TestApi }>;
  /** With the key of the administrator at home. */
  call: (
    api: TestApi,
    method: string,
    path: string,
    options?: Parameters<TestApi['call']>[2],
  ) => ReturnType<TestApi['call']>;
  /** An upload whose body is written by and by. */
  open(api: TestApi, path: string, headers?: Record<string, string>): ClientRequest;
  /** Ends with the site, if not before. */
  keep(server: { stop(): Promise<void> }): void;
  stopNow(server: { stop(): Promise<void> }): Promise<void>;
  stop(): Promise<void>;
}

export async function startFarSite(): Promise<FarSite> {
  const home = await startApi();
  const way = await startCuttingProxy(home.url);
  const started = new Set<{ stop(): Promise<void> }>();
  const call: FarSite['call'] = (api, method, path, options = {}) =>
    api.call(method, path, { key: home.adminKey, ...options });
  const site: FarSite = {
    home,
    way,
    call,
    async startFar({ writeForwardUrl, flyReplayRegion, flyRegion }, overrides = {}) {
      const elsewhere = writesElsewhere({ writeForwardUrl, flyReplayRegion, flyRegion });
      const api = await startApi({ databaseUrl: home.databaseUrl, ...elsewhere, ...overrides });
      started.add(api);
      return api;
    },
    async startFarOf(handle) {
      const target = await startScriptedServer(handle);
      started.add(target);
      return { target, api: await site.startFar({ writeForwardUrl: target.url }) };
    },
    open(api, path, headers = {}) {
      const sent = request(api.url + path, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${home.adminKey}`,
          'content-type': 'application/x-ndjson',
          ...headers,
        },
      });
      sent.on('error', () => {});
      return sent;
    },
    keep: (server) => void started.add(server),
    async stopNow(server) {
      started.delete(server);
      await server.stop();
    },
    async stop() {
      for (const server of [...started].reverse()) await server.stop();
      await way.stop();
      await home.stop();
    },
  };
  const route = { connector: 'http', url: 'https://provider.example/', channel: 'sms' };
  const { status } = await call(home, 'PUT', '/v1/routes/sms', { body: route });
  if (status !== 201) throw new Error(`the route was answered with ${status}`);
  return site;
}

export async function answerTo(sent: ClientRequest): Promise<{ response: IncomingMessage; text: string }> {
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return { response, text: (await readBody(response)).toString() };
}

export const line = (n: number) => `{"to":"+316123${String(n).padStart(5, '0')}","body":"hi"}\n`;
export const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => line(from + index)).join('');
export const message = { to: '+31612345678', route: 'sms', body: 'hello' };
