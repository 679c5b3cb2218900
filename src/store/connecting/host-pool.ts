import pg from 'pg';
import { type Fault, faultOf } from '../fault.ts';
import { type ConnectionSettings, type Connections, connectTimeoutMs } from './connections.ts';

/** The connections to one host. */
export function openHostPool(settings: ConnectionSettings): Connections {
  let limited = true;
  let pool = openPool(settings, { limited });

  async function take(): Promise<pg.PoolClient> {
    const asked = pool;
    try {
      return await asked.connect();
    } catch (error) {
      if (!isPoolersRefusal(faultOf(error))) throw error;
    }
    if (pool === asked) {
      limited = false;
      // The one before has no connection and keeps none. Ended, it would forget those that wait for one.
      pool = openPool(settings, { limited });
    }
    return await take();
  }

  return {
    get limited() {
      return limited;
    },
    take,
    giveBack: (client, fault) => client.release(fault?.connectionLost ?? false),
    close: () => pool.end(),
  };
}

function openPool(settings: ConnectionSettings, { limited }: { limited: boolean }): pg.Pool {
  const pool = new pg.Pool({
    connectionString: settings.url,
    max: settings.poolSize,
    application_name: `millrace ${settings.name}`,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: settings.answerMs,
    keepAlive: true,
    // A statement does not wait for the answer to the one before, unless its caller does.
    pipeline: true,
    ...(limited && { statement_timeout: settings.statementMs }),
  });
  pool.on('error', (error) => settings.onIdleError?.(faultOf(error)));
  // A connection that breaks between two statements of a transaction has nobody to tell, and an event without
  // a listener would end the process; the next statement on it fails.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

/** PgBouncer takes no setting of a session along, unless it was told to forget it: then it does not refuse it. */
function isPoolersRefusal({ code, message }: Fault): boolean {
  return code === '08P01' && message.includes('startup parameter');
}
