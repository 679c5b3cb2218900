import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { SinkWatch } from '../../test/chaos/sink-watch.ts';
import { type MillraceProcess, startProcess } from '../../test/support/start-process.ts';
import type { Cluster } from '../cluster/cluster.ts';

export const adminKey = 'lab-administrator-key-0123456789';
export const routeName = 'lab';
const secretKey = Buffer.alloc(32, 'millrace lab').toString('base64');
/** Arrivals that the sink remembers: of a whole run, and some. */
const arrivalsKept = 1_500_000;
const sinkLatencyMs = 5;
/** Slow enough that a flood is still on its way out while the database fails over. */
const ratePerSecond = 2_000;
const batchMax = 100;

/** Millrace on the cluster, by way of HAProxy, and a simulated provider: processes of their own. */
export interface Millrace {
  url: string;
  sink: SinkWatch;
  alive(): boolean;
  stop(): Promise<void>;
}

export async function startMillrace(cluster: Cluster, directory: string): Promise<Millrace> {
  const log = createWriteStream(join(directory, 'millrace.log'), { flags: 'a' });
  const sink = await startProcess([
    ...['sink', '--port', '0', '--latency-ms', String(sinkLatencyMs), '--stop-with-parent'],
    ...['--arrivals', String(arrivalsKept), '--arrivals-batch-max', String(batchMax)],
  ]);
  const stops = [() => stop(sink)];
  try {
    const server = await startProcess(
      [
        ...['serve', '--port', '0', '--data', join(directory, 'server'), '--log-level', 'info'],
        ...['--database', cluster.databaseUrl('primary'), '--stop-with-parent'],
      ],
      { MILLRACE_ADMIN_KEY: adminKey, MILLRACE_SECRET_KEY: secretKey },
    );
    stops.push(() => stop(server));
    server.child.stdout!.pipe(log);
    await setRoute(server.url, sink.url);
    return {
      url: server.url,
      sink: new SinkWatch(sink.url),
      alive: () => server.child.exitCode === null && server.child.signalCode === null,
      stop: () => stopAll(stops),
    };
  } catch (error) {
    await stopAll(stops);
    throw error;
  }
}

/** A server that does not end in time is killed: its database may be gone for good. */
const stopMs = 20_000;

async function stop(running: MillraceProcess): Promise<void> {
  if (running.child.exitCode !== null || running.child.signalCode !== null) return;
  const killing = setTimeout(() => running.child.kill('SIGKILL'), stopMs);
  await running.stop();
  clearTimeout(killing);
}

async function stopAll(stops: (() => Promise<void>)[]): Promise<void> {
  for (const each of stops.toReversed()) await each();
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
