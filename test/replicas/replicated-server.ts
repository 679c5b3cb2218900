import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import { type Cluster, type ClusterServer, startCluster } from '../support/cluster.ts';
import { startRoundRobinProxy } from '../support/round-robin-proxy.ts';
import { type MillraceProcess, startProcess } from '../support/start-process.ts';

export const adminKey = 'replicated-server-administrator-key-0123456789';

export interface Answer {
  status: number;
  token: string | undefined;
  /** Of the primary, where the token of the read was of an earlier one. */
  timeline?: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  json: any;
}

/** A Millrace server that takes messages and delivers none, on a primary with standbys that answer its reads. */
export interface ReplicatedServer {
  cluster: Cluster;
  standbys: ClusterServer[];
  server: MillraceProcess;
  key: string;
  /** What the server logged at `warn` and above, and of replicas. */
  log: string[];
  get(path: string, token?: string): Promise<Answer>;
  post(path: string, body: unknown): Promise<Answer>;
  /** Messages are taken for the route `nowhere`. */
  send(): Promise<{ id: string; token: string }>;
  /** Reads made so far, by the port of the standby or `primary`. */
  reads(): Promise<Map<string, number>>;
  /** One of the figures of each standby, by its port. */
  figures(name: string): Promise<Map<string, number>>;
  close(): Promise<void>;
}

export async function startReplicated(settings: {
  /** A standby each. */
  delaysMs: readonly number[];
  args?: readonly string[];
  /** The database names the standbys too: one of them may become the primary. */
  failover?: boolean;
  /** The server knows one address, behind which a balancer leads each connection to the next standby. */
  balanced?: boolean;
}): Promise<ReplicatedServer> {
  const closings: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const closing of closings.reverse()) await closing();
  };
  try {
    const cluster = await startCluster();
    closings.push(() => cluster.close());
    // Made and filled once before the standbys are copied, so that the delayed ones have the schema too.
    const data = await mkdtemp(join(tmpdir(), 'millrace-replicated-'));
    closings.push(() => rm(data, { recursive: true, force: true }));
    const { url: database } = cluster.primary;
    await (await startServer({ database, data, args: [] })).server.stop();
    const adding = settings.delaysMs.map((applyDelayMs) => cluster.addStandby({ applyDelayMs }));
    const standbys = await Promise.all(adding);
    const urls = standbys.map(({ url }) => url);
    if (settings.balanced) {
      const proxy = await startRoundRobinProxy(standbys.map(({ port }) => port));
      closings.push(() => proxy.stop());
      urls.splice(0, urls.length, urls[0]!.replace(String(standbys[0]!.port), String(proxy.port)));
    }
    const args = ['--replica-urls', urls.join(','), ...(settings.args ?? [])];
    const others = settings.failover ? standbys.map(({ port }) => `,127.0.0.1:${port}`).join('') : '';
    const hosts = database.replace(/(?=\/millrace$)/, others);
    const { server, log } = await startServer({ database: hosts, data, args });
    closings.push(() => server.stop());
    const caller = createCaller(server.url);
    closings.push(() => caller.close());
    return { cluster, standbys, server, key: adminKey, log, ...caller, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startServer(at: { database: string; data: string; args: readonly string[] }) {
  const log: string[] = [];
  const fixed = ['--port', '0', '--roles', 'api', '--data', at.data, '--database', at.database];
  const env = { MILLRACE_ADMIN_KEY: adminKey, MILLRACE_SECRET_KEY: Buffer.alloc(32, 7).toString('base64') };
  const server = await startProcess(['serve', ...fixed, ...at.args], env, {
    onLine: (line) => void log.push(line),
  });
  const route = { connector: 'http', url: 'http://127.0.0.1:9/', allowPrivate: true };
  const made = await fetch(`${server.url}/v1/routes/nowhere`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(route),
  });
  if (!made.ok) throw new Error(`no route: ${await made.text()}`);
  return { server, log };
}

const connectionsMax = 64;

function createCaller(url: string) {
  const pool = new Pool(url, { connections: connectionsMax });
  const headers = { authorization: `Bearer ${adminKey}` };

  async function call(
    method: 'GET' | 'POST',
    path: string,
    more: { token?: string | undefined; body?: unknown },
  ) {
    const { token, body } = more;
    const answer = await pool.request({
      ...{ method, path },
      headers: {
        ...headers,
        ...(token !== undefined && { 'millrace-consistency': token }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const carried = answer.headers['millrace-consistency'];
    const text = await answer.body.text();
    const json = text.startsWith('{') ? JSON.parse(text) : text;
    const timeline = answer.headers['millrace-timeline']?.toString();
    return { status: answer.statusCode, token: carried?.toString(), timeline, json };
  }

  async function figures(name: string): Promise<Map<string, number>> {
    const { json } = await call('GET', '/metrics', {});
    const lines = String(json).matchAll(
      new RegExp(`^${name}\\{\\w+="(?:127\\.0\\.0\\.1:)?(\\w+)"\\} (\\S+)$`, 'gm'),
    );
    return new Map([...lines].map(([, label, value]) => [label!, Number(value)]));
  }

  return {
    get: (path: string, token?: string) => call('GET', path, { token }),
    post: (path: string, body: unknown) => call('POST', path, { body }),
    async send() {
      const message = { to: '+31612345678', body: 'hello', route: 'nowhere' };
      const { status, token, json } = await call('POST', '/v1/messages', { body: message });
      if (status !== 202 || token === undefined)
        throw new Error(`not taken: ${status} ${JSON.stringify(json)}`);
      return { id: json.messages[0].id as string, token };
    },
    figures,
    reads: () => figures('millrace_reads_total'),
    close: () => pool.close(),
  };
}
