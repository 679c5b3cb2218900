import type pg from 'pg';
import type { HostEvent } from '../../lib/host-event.ts';
import type { Fault } from '../fault.ts';

/** The connections of one `Database`: where they lead, and how many there are. */
export interface Connections {
  /** Whether they have the limit of statements from their start; where a pooler stands between, only transactions do. */
  readonly limited: boolean;
  /** One of them for oneself alone, until it is given back. Throws what the driver throws. */
  take(): Promise<pg.PoolClient>;
  /** With what it met, if that was a fault: one that is lost is closed. */
  giveBack(client: pg.PoolClient, fault?: Fault): void;
  close(): Promise<void>;
}

export interface ConnectionSettings {
  url: string;
  /** At most. */
  poolSize: number;
  /** Shown in pg_stat_activity as `millrace <name>`. */
  name: string;
  /** The server ends a statement after this long. */
  statementMs: number;
  /** And one that waits for a lock already after this. */
  lockMs?: number | undefined;
  /** The client waits for an answer this long, then drops the connection. */
  answerMs: number;
  /** Looks at each new connection before it is used; a rejection closes it and is what the taker hears. */
  admit?: ((client: pg.ClientBase) => Promise<void>) | undefined;
  onIdleError?: ((fault: Fault) => void) | undefined;
  onHost?: ((event: HostEvent) => void) | undefined;
}

/** How long a connection is waited for, be it that all are taken or that the server is slow to answer. */
export const connectTimeoutMs = 5_000;
