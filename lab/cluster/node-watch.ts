import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { NodeName } from '../network.ts';

export type Role = 'primary' | 'replica' | 'down';

export interface NodeState {
  role: Role;
  timeline: number | undefined;
  /** What it has written, or replayed. */
  position: bigint | undefined;
  /** Standbys that stream from it, of those in sync, and whom COMMIT waits for. */
  streaming: number;
  inSync: number;
  waitsFor: string;
}

/** A write that a node acknowledged, with the moments that it was sent and answered (milliseconds, monotonic). */
export interface Acknowledged {
  node: NodeName;
  timeline: number;
  sentAt: number;
  at: number;
}

const stateEveryMs = 250;
const writeEveryMs = 100;
const stateTimeoutMs = 2_000;
const connectTimeoutMs = 2_000;
const askTimeoutMs = 20_000;

/** The database whose one table takes the writes that are sent past Millrace and HAProxy. */
export const probeDatabase = 'lab_probe';

const down: NodeState = {
  ...{ role: 'down', timeline: undefined, position: undefined },
  ...{ streaming: 0, inSync: 0, waitsFor: '' },
};

interface StateRow {
  replica: boolean;
  position: string | null;
  timeline: number | null;
  streaming: number;
  in_sync: number;
  waits_for: string;
}

const stateText = `SELECT pg_is_in_recovery() AS replica,
  CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END - '0/0'::pg_lsn AS position,
  CASE WHEN pg_is_in_recovery() THEN (SELECT received_tli FROM pg_stat_wal_receiver)
    ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END AS timeline,
  (SELECT count(*)::int FROM pg_stat_replication WHERE state = 'streaming') AS streaming,
  (SELECT count(*)::int FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = 'sync') AS in_sync,
  current_setting('synchronous_standby_names') AS waits_for`;

/** Refused by a standby: only there is no WAL being written. */
const writeText = `INSERT INTO probe (node, timeline)
  VALUES ($1, ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int) RETURNING timeline`;

/**
 * Watches one node from within, by its socket, so also when it is cut off: what it believes to be, and whether it
 * acknowledges writes. What it believes does not count: two may think to be primary, only one may accept.
 */
export class NodeWatch {
  readonly name: NodeName;
  readonly #socket: string;
  readonly #ending = new AbortController();
  readonly #clients = new Set<pg.Client>();
  readonly #loops: Promise<void>[];
  readonly acknowledged: Acknowledged[] = [];
  state: NodeState = down;
  /** Since when a write waits for its answer. */
  writeWaitsSince: number | undefined;
  lastAcknowledgedAt = Number.NEGATIVE_INFINITY;

  constructor(name: NodeName, socket: string) {
    this.name = name;
    this.#socket = socket;
    this.#loops = [
      this.#repeat(stateEveryMs, () => this.#look()),
      this.#repeat(writeEveryMs, () => this.#write()),
    ];
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    // A write that nobody answers would be waited for.
    for (const client of this.#clients) client.end().catch(() => {});
    await Promise.all(this.#loops);
  }

  /** One question on a connection of its own. */
  async ask<Row extends pg.QueryResultRow>(text: string, database = 'postgres'): Promise<Row[]> {
    const client = await this.#connect(database, askTimeoutMs);
    try {
      return (await client.query<Row>(text)).rows;
    } finally {
      await this.#close(client);
    }
  }

  /** Looks until the connection breaks. */
  async #look(): Promise<void> {
    try {
      const client = await this.#connect('postgres', stateTimeoutMs);
      try {
        for (;;) {
          this.state = toState((await client.query<StateRow>(stateText)).rows[0]!);
          await sleep(stateEveryMs, undefined, { signal: this.#ending.signal });
        }
      } finally {
        await this.#close(client);
      }
    } catch {
      this.state = down;
    }
  }

  /** Writes until the connection breaks; a standby refuses, and is asked again. */
  async #write(): Promise<void> {
    const client = await this.#connect(probeDatabase);
    // A COMMIT that ends without its standby says so in a warning: that is no acknowledgement.
    let warned = false;
    client.on('notice', () => {
      warned = true;
    });
    try {
      for (;;) {
        const sentAt = performance.now();
        this.writeWaitsSince = sentAt;
        const timeline = await insert(client, this.name);
        if (timeline !== undefined && !warned) {
          this.lastAcknowledgedAt = performance.now();
          this.acknowledged.push({ node: this.name, timeline, sentAt, at: this.lastAcknowledgedAt });
        }
        warned = false;
        this.writeWaitsSince = undefined;
        await sleep(writeEveryMs, undefined, { signal: this.#ending.signal });
      }
    } finally {
      this.writeWaitsSince = undefined;
      await this.#close(client);
    }
  }

  async #repeat(pauseMs: number, work: () => Promise<void>): Promise<void> {
    while (!this.#ending.signal.aborted) {
      await work().catch(() => {});
      await sleep(pauseMs, undefined, { signal: this.#ending.signal }).catch(() => {});
    }
  }

  async #connect(database: string, timeoutMs?: number): Promise<pg.Client> {
    const client = new pg.Client({
      ...{ host: this.#socket, user: 'postgres', database, application_name: 'millrace lab' },
      connectionTimeoutMillis: connectTimeoutMs,
      ...(timeoutMs !== undefined && { query_timeout: timeoutMs }),
    });
    client.on('error', () => {});
    this.#clients.add(client);
    try {
      await client.connect();
    } catch (error) {
      await this.#close(client);
      throw error;
    }
    return client;
  }

  async #close(client: pg.Client): Promise<void> {
    this.#clients.delete(client);
    await client.end().catch(() => {});
  }
}

/** The timeline on which the write was acknowledged; undefined where a standby refused it. */
async function insert(client: pg.Client, node: NodeName): Promise<number | undefined> {
  try {
    return (await client.query<{ timeline: number }>(writeText, [node])).rows[0]!.timeline;
  } catch (error) {
    const { code } = error as { code?: string };
    // Read-only, or in recovery.
    if (code === '25006' || code === '55000') return undefined;
    throw error;
  }
}

function toState({ replica, position, timeline, streaming, in_sync, waits_for }: StateRow): NodeState {
  return {
    role: replica ? 'replica' : 'primary',
    timeline: timeline ?? undefined,
    position: position === null ? undefined : BigInt(position),
    ...{ streaming, inSync: in_sync, waitsFor: waits_for },
  };
}
