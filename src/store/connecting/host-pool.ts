import pg from 'pg';
import { faultOf, settingRefused } from '../fault.ts';
import { type ConnectionSettings, type Connections, connectTimeoutMs } from './connections.ts';

export interface HostPoolSettings extends ConnectionSettings {
  /** How long a connection is waited for; 5,000 ms. */
  connectMs?: number;
}

export interface HostPool extends Connections {
  /** Ends every connection at once, those in use and those that are being made as well: their work fails as lost. */
  cut(): void;
}

/** The connections to one host. */
export function openHostPool(settings: HostPoolSettings): HostPool {
  const clients = new Set<pg.Client>();
  let limited = true;
  let isCut = false;
  let pool = open();

  function open(): pg.Pool {
    const made = new pg.Pool(poolConfig(settings, { limited, Client: trackedClient(clients) }));
    made.on('error', (error) => {
      if (!isCut) settings.onIdleError?.(faultOf(error));
    });
    // A connection that breaks between two statements of a transaction has nobody to tell, and an event without
    // a listener would end the process; the next statement on it fails.
    made.on('connect', (client) => client.on('error', () => {}));
    return made;
  }

  async function take(): Promise<pg.PoolClient> {
    const asked = pool;
    try {
      return await asked.connect();
    } catch (error) {
      if (faultOf(error).code !== settingRefused) throw error;
      // Asked for without the limit, what is refused stands in the URL.
      if (pool === asked && !limited) throw error;
    }
    if (pool === asked) {
      // PgBouncer takes no setting of a session along, unless it was told to forget it: then it does not refuse it.
      limited = false;
      // The one before has no connection and keeps none. Ended, it would forget those that wait for one.
      pool = open();
    }
    return await take();
  }

  return {
    get limited() {
      return limited;
    },
    take,
    giveBack: (client, fault) => client.release(fault?.connectionLost ?? false),
    cut() {
      isCut = true;
      for (const client of clients) client.connection.stream.destroy();
    },
    close: () => pool.end(),
  };
}

function poolConfig(
  settings: HostPoolSettings,
  { limited, Client }: { limited: boolean; Client: typeof pg.Client },
): pg.PoolConfig {
  const { admit } = settings;
  return {
    Client,
    connectionString: settings.url,
    max: settings.poolSize,
    application_name: `millrace ${settings.name}`,
    connectionTimeoutMillis: settings.connectMs ?? connectTimeoutMs,
    query_timeout: settings.answerMs,
    keepAlive: true,
    // A statement does not wait for the answer to the one before, unless its caller does.
    pipeline: true,
    ...(limited && { statement_timeout: settings.statementMs, lock_timeout: settings.lockMs }),
    // The pool waits for its promise, which the types do not tell.
    ...(admit && { onConnect: admit as (client: pg.ClientBase) => void }),
  };
}

/** The pool tells of its connections only when they are made; one that hangs until then must be known as well. */
function trackedClient(clients: Set<pg.Client>): typeof pg.Client {
  return class extends pg.Client {
    constructor(config?: string | pg.ClientConfig) {
      super(config);
      clients.add(this);
      this.once('end', () => clients.delete(this));
    }
  };
}
