import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { clientLimits } from '../api/client-limits.ts';
import type { ApiContext, ApiInstance } from '../api/context.ts';
import { writesElsewhere } from '../api/elsewhere/writes-elsewhere.ts';
import { createKeyFreer } from '../api/key-freer.ts';
import { createLifecycle } from '../api/lifecycle.ts';
import { buildProbeServer, buildServer, stopServer } from '../api/server.ts';
import type { Config } from '../config/resolve-config.ts';
import { withoutSecrets } from '../config/without-secrets.ts';
import { connectors } from '../connectors/registry.ts';
import type { Intake } from '../intake/intake.ts';
import { systemClock } from '../lib/clock.ts';
import type { StopStack } from '../lib/stop-stack.ts';

/** Requests in flight get this long to end before they are cut. */
const requestsEndMs = 5_000;

/** The HTTP API; its URL. */
export async function listen(
  config: Config,
  parts: Pick<
    ApiContext,
    'database' | 'full' | 'control' | 'secrets' | 'log' | 'metrics' | 'replicas' | 'receipts' | 'statistics'
  > & {
    intake: Intake;
    stops: StopStack;
  },
): Promise<string> {
  const { intake, stops, ...rest } = parts;
  const lifecycle = createLifecycle();
  const keyFreer = createKeyFreer({ clock: systemClock, log: rest.log, signal: lifecycle.signal });
  const context: ApiContext = {
    ...{ ...rest, intake, connectors, lifecycle, keyFreer, clientLimits },
    keptBodies: join(config.data, 'uploads'),
    requestsPerSecond: config.keyRequestsPerSecond,
    ...(config.publicUrl !== undefined && { publicUrl: config.publicUrl }),
    ...writesElsewhere(config),
    ...(await readTls(config)),
  };
  const app = buildServer(context);
  stops.push(async () => {
    // Where it has not come to listen, nobody sends anything that there is to wait for.
    const delayMs = app.server.listening ? config.shutdownDelayMs : 0;
    await lifecycle.leave({ delayMs, clock: systemClock });
    await intake.uploads.stop();
    await stopServer(app, { context, deadlineMs: requestsEndMs });
  });
  const url = await listenAt(app, config);
  await announce(url, { config, stops });
  return url;
}

/** Without an API: what supervisors and monitoring ask for. */
export async function listenForProbes(
  config: Config,
  { stops, ...parts }: Pick<ApiContext, 'database' | 'full' | 'log' | 'metrics'> & { stops: StopStack },
): Promise<string> {
  const context = { ...parts, lifecycle: createLifecycle(), clientLimits, ...(await readTls(config)) };
  const app = buildProbeServer(context);
  // A supervisor that finds it silent while its last sends end would kill it.
  stops.pushLast(() => stopServer(app, { context, deadlineMs: requestsEndMs }));
  stops.push(async () => context.lifecycle.beginStop());
  return await listenAt(app, config);
}

async function listenAt(app: ApiInstance, config: Config): Promise<string> {
  await app.listen({ port: config.port, host: config.host });
  const address = app.server.address();
  const port = typeof address === 'object' && address ? address.port : config.port;
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  return `${config.tlsCert ? 'https' : 'http'}://${host}:${port}`;
}

async function readTls(config: Config): Promise<{ tls?: { cert: string; key: string } }> {
  if (config.tlsCert === undefined || config.tlsKey === undefined) return {};
  const [cert, key] = await Promise.all([readFile(config.tlsCert, 'utf8'), readFile(config.tlsKey, 'utf8')]);
  return { tls: { cert, key } };
}

/** Client commands on this machine find the server by this file, `doctor` and `migrate` its database. */
async function announce(url: string, { config, stops }: { config: Config; stops: StopStack }): Promise<void> {
  const path = join(config.data, 'server.json');
  const database = config.database && withoutSecrets(config.database);
  await writeFile(path, `${JSON.stringify({ url, pid: process.pid, ...(database && { database }) })}\n`);
  stops.push(() => rm(path, { force: true }));
}
