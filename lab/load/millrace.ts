import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { SinkWatch } from '../../test/chaos/sink-watch.ts';
import { type MillraceProcess, startProcess } from '../../test/support/start-process.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Way } from '../scenarios/scenario.ts';

export const adminKey = 'lab-administrator-key-0123456789';
export const routeName = 'lab';
const secretKey = Buffer.alloc(32, 'millrace lab').toString('base64');
/** Arrivals that the sink remembers: of a whole run, and some. */
const arrivalsKept = 1_500_000;
const sinkLatencyMs = 5;
/** Slow enough that a flood is still on its way out while the database fails over. */
const ratePerSecond = 2_000;
const batchMax = 100;

/** Millrace on the cluster and a simulated provider: processes of their own. */
export interface Millrace {
  readonly url: string;
  sink: SinkWatch;
  /** Has the server reach the database by this way, for which another one takes its place. */
  useWay(way: Way): Promise<void>;
  alive(): boolean;
  stop(): Promise<void>;
}

/** At first by way of HAProxy. */
export async function startMillrace(cluster: Cluster, directory: string): Promise<Millrace> {
  const log = createWriteStream(join(directory, 'millrace.log'), { flags: 'a' });
  const urls: Record<Way, string> = {
    haproxy: cluster.databaseUrl('primary'),
    'several-hosts': cluster.hostsUrl(),
  };
  const sink = await startProcess([
    ...['sink', '--port', '0', '--latency-ms', String(sinkLatencyMs), '--stop-with-parent'],
    ...['--arrivals', String(arrivalsKept), '--arrivals-batch-max', String(batchMax)],
  ]);
  let server: MillraceProcess | undefined;
  let usedWay: Way | undefined;
  async function useWay(way: Way): Promise<void> {
    if (way === usedWay) return;
    if (server) await stop(server);
    usedWay = undefined;
    server = await startProcess(
      [
        ...['serve', '--port', '0', '--data', join(directory, 'server'), '--log-level', 'info'],
        ...['--database', urls[way], '--stop-with-parent'],
      ],
      { MILLRACE_ADMIN_KEY: adminKey, MILLRACE_SECRET_KEY: secretKey },
    );
    server.child.stdout!.pipe(log, { end: false });
    usedWay = way;
  }
  async function stopBoth(): Promise<void> {
    try {
      if (server) await stop(server);
    } finally {
      await stop(sink).finally(() => log.end());
    }
  }
  try {
    await useWay('haproxy');
    await setRoute(server!.url, sink.url);
  } catch (error) {
    await stopBoth();
    throw error;
  }
  return {
    get url() {
      return server!.url;
    },
    sink: new SinkWatch(sink.url),
    useWay,
    alive: () => server!.child.exitCode === null && server!.child.signalCode === null,
    stop: stopBoth,
  };
}

/** A server that does not end in time is killed: its database may be gone for good. */
const stopMs = 20_000;

async function stop(running: MillraceProcess): Promise<void> {
  if (running.child.exitCode !== null || running.child.signalCode !== null) return;
  const killing = setTimeout(() => running.child.kill('SIGKILL'), stopMs);
  await running.stop();
  clearTimeout(killing);
}

async function setRoute(serverUrl: string, sinkUrl: string): Promise<void> {
  const response = await fetch(`${serverUrl}/v1/routes/${routeName}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      ...{ connector: 'http', url: sinkUrl, allowPrivate: true, ratePerSecond, batch: { max: batchMax } },
      retry: { backoffMinMs: 50, backoffMaxMs: 1_000 },
    }),
  });
  if (!response.ok) throw new Error(`could not set the route: ${await response.text()}`);
}
