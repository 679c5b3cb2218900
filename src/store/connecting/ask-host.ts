import pg from 'pg';
import type { TargetSession } from '../../lib/postgres-url.ts';
import { type Fault, faultOf } from '../fault.ts';
import { writtenTimeline } from '../written-timeline.ts';

/** What a host is good for at the moment. */
export type HostState =
  /** Writes go there. The timeline rises with each promotion; 0 where only some host was asked for and this is a standby. */
  | { kind: 'fit'; timeline: number }
  | { kind: 'read-only' }
  /** Nobody serves there now, by its own word. */
  | { kind: 'down'; fault: Fault }
  /** Silence, or no room for another connection: it may serve those that it has. */
  | { kind: 'unknown'; fault: Fault };

/** A host whose link is cut says nothing at all: no longer is waited than a busy server takes. */
export const askTimeoutMs = 2_000;

/** One round trip. A server in recovery has no place of its own in the log to name. */
const question = `SELECT pg_is_in_recovery() AS standby, current_setting('transaction_read_only') = 'on' AS "readOnly",
  CASE WHEN pg_is_in_recovery() THEN 0 ELSE ${writtenTimeline} END AS timeline`;

/** Asks by a connection of its own. Never rejects. */
export async function askHost(url: string, target: TargetSession): Promise<HostState> {
  let client: pg.Client | undefined;
  try {
    // It reads the files that the URL names.
    client = new pg.Client({
      connectionString: url,
      application_name: 'millrace hosts',
      connectionTimeoutMillis: askTimeoutMs,
    });
    // The call that it breaks rejects as well; an event without a listener would end the process.
    client.on('error', () => {});
    await client.connect();
    return await askConnection(client, target);
  } catch (error) {
    const fault = faultOf(error);
    return { kind: isDown(fault) ? 'down' : 'unknown', fault };
  } finally {
    // The host has answered, or is known as one that does not.
    client?.end().catch(() => {});
  }
}

/** Asks by a connection that is there. */
export async function askConnection(client: pg.ClientBase, target: TargetSession): Promise<HostState> {
  const { rows } = await client.query<{ standby: boolean; readOnly: boolean; timeline: number }>({
    text: question,
    query_timeout: askTimeoutMs,
  } as pg.QueryConfig);
  const { standby, readOnly, timeline } = rows[0]!;
  const fit = { any: true, primary: !standby, 'read-write': !readOnly }[target];
  return fit ? { kind: 'fit', timeline } : { kind: 'read-only' };
}

/** Whether the server says itself that it serves nobody, or is not the one to write to. */
export function isDown({ code }: Fault): boolean {
  return downCodes.has(code);
}

/** Read-only, starting or shutting down, nobody listens. */
const downCodes = new Set(['25006', '57P03', 'ECONNREFUSED']);
