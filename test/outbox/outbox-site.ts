import { type Client, createClient } from '../../src/client/client.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { Drainer, type DrainerLog } from '../../src/outbox/drainer.ts';
import { openOutbox } from '../../src/outbox/open-outbox.ts';
import type { OutboxSession } from '../../src/outbox/outbox-session.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { type MillraceProcess, startProcess } from '../support/start-process.ts';
import { testSecretKey } from '../support/test-secrets.ts';
import type { AppDatabase } from './app-database.ts';
import { type RefSink, startRefSink } from './ref-sink.ts';

export const adminKey = 'outbox-administrator-key-0123456789';
export const routeName = 'sms';

/** A Millrace server with a route to a provider that keeps books. */
export interface OutboxSite {
  server: MillraceProcess;
  sink: RefSink;
  client: Client;
  stop(): Promise<void>;
}

export async function startOutboxSite(): Promise<OutboxSite> {
  const { url: databaseUrl } = await createTestDatabase();
  const sink = await startRefSink();
  const server = await startProcess(
    ['serve', '--port', '0', '--database', databaseUrl, '--log-level', 'warn', '--stop-with-parent'],
    { MILLRACE_ADMIN_KEY: adminKey, MILLRACE_SECRET_KEY: testSecretKey },
  );
  await setRoute(server.url, sink);
  const client = createClient({ url: server.url, key: adminKey, attemptsMax: 1 });
  return {
    server,
    sink,
    client,
    async stop() {
      client.close();
      await server.stop();
      await sink.stop();
    },
  };
}

export async function setRoute(url: string, sink: RefSink): Promise<void> {
  const client = createClient({ url, key: adminKey });
  await client.routes.set(routeName, {
    ...{ connector: 'http', url: sink.url, allowPrivate: true, batch: { max: 500 } },
    retry: { backoffMinMs: 50, backoffMaxMs: 1_000 },
  });
  client.close();
}

export interface TestDrainer {
  drainer: Drainer;
  told: {
    working: number;
    setAside: string[];
    heldBack: string[];
    databaseAway: number;
    /** Until the database is asked again. */
    waitsMs: number[];
    millraceAway: number;
    accepted: number;
    rejected: number;
  };
}

/** A drainer in this process; `wrap` may change what its sessions do. */
export function testDrainer({
  client,
  app,
  table,
  wrap = (session) => session,
  random = Math.random,
}: {
  client: Client;
  app: AppDatabase;
  table: string;
  wrap?: (session: OutboxSession) => OutboxSession;
  random?: () => number;
}): TestDrainer {
  const told: TestDrainer['told'] = {
    ...{
      working: 0,
      setAside: [],
      heldBack: [],
      databaseAway: 0,
      waitsMs: [],
      millraceAway: 0,
      accepted: 0,
      rejected: 0,
    },
  };
  const log: DrainerLog = {
    working: () => void told.working++,
    standingBy: () => {},
    moved({ accepted }) {
      told.accepted += accepted;
    },
    setAside({ code, messages }) {
      told.setAside.push(code);
      told.rejected += messages;
    },
    heldBack: ({ code }) => void told.heldBack.push(code),
    databaseAway({ waitMs }) {
      told.databaseAway++;
      told.waitsMs.push(waitMs);
    },
    millraceAway: () => void told.millraceAway++,
  };
  const outbox = openOutbox(app.url, table);
  const drainer = new Drainer({
    open: async () => wrap(await outbox.open()),
    ...{ client, clock: systemClock, random, pollMs: 20, triesMax: 5, log },
  });
  return { drainer, told };
}

/** A session that does what another does, but for some methods. */
export function withMethods(session: OutboxSession, methods: Partial<OutboxSession>): OutboxSession {
  return new Proxy(session, {
    get(target, name) {
      const own = (methods as Record<string | symbol, unknown>)[name];
      const value = own ?? (target as unknown as Record<string | symbol, unknown>)[name];
      return typeof value === 'function' && !own ? value.bind(target) : value;
    },
  });
}
