import { Counter, Gauge, type Registry } from 'prom-client';
import type { CappedLabels } from './capped-labels.ts';

export interface DatabaseFigures {
  databaseFault(kind: string): void;
  /** Asks it at each look: what the database looks like, or undefined while it does not tell. */
  readDatabase(read: () => Promise<DatabaseState | undefined>): void;
  /** Asks it at each look: how the connections of this process are used, by what they are for. */
  readPools(read: () => readonly PoolState[]): void;
}

export interface DatabaseState {
  /** Neither read-only nor, as of the last writes, full. */
  writable: boolean;
  backlog: readonly BacklogState[];
  /** Routes that somebody has paused, or whose window is closed. */
  routes: readonly { route: string; paused: boolean; closed: boolean }[];
  shardsWithoutOwner: number;
  oldestTransactionMs: number;
  /** Days to come for which the table with the fewest has partitions; -1 when today's is missing. */
  partitionsAhead: number;
  deadPendingRows: number;
}

export interface BacklogState {
  route: string;
  priority: 'interactive' | 'bulk';
  messages: number;
  /** Of those, the ones of batches that are paused, or whose window is closed. */
  held: number;
  /** For how long the oldest that nobody holds could have left; 0 while there is none. */
  oldestMs: number;
}

export interface PoolState {
  pool: string;
  busy: number;
  waiting: number;
  max: number;
}

export function databaseFigures(
  registry: Registry,
  { routeLabels }: { routeLabels: CappedLabels },
): DatabaseFigures {
  const faults = new Counter({
    name: 'millrace_database_faults_total',
    help: 'Errors of the database, by kind',
    labelNames: ['kind'] as const,
    registers: [registry],
  });
  return {
    databaseFault: (kind) => faults.inc({ kind }),
    ...poolFigures(registry),
    ...stateFigures(registry, routeLabels),
  };
}

function poolFigures(registry: Registry): Pick<DatabaseFigures, 'readPools'> {
  let read: () => readonly PoolState[] = () => [];
  const gauge = (name: string, help: string, figureOf: (state: PoolState) => number) =>
    new Gauge({
      name,
      help,
      labelNames: ['pool'],
      registers: [registry],
      collect() {
        this.reset();
        for (const state of read()) this.inc({ pool: state.pool }, figureOf(state));
      },
    });
  gauge('millrace_database_connections_busy', 'Database connections in use', ({ busy }) => busy);
  gauge(
    'millrace_database_connections_waiting',
    'Callers that wait for a database connection',
    ({ waiting }) => waiting,
  );
  gauge('millrace_database_connections_max', 'Database connections at most', ({ max }) => max);
  return {
    readPools(states) {
      read = states;
    },
  };
}

function stateFigures(registry: Registry, routeLabels: CappedLabels): Pick<DatabaseFigures, 'readDatabase'> {
  const registers = [registry];
  let read: () => Promise<DatabaseState | undefined> = async () => undefined;
  const gauge = (name: string, help: string, figureOf: (state: DatabaseState) => number) =>
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        const state = await read();
        // What is not known is absent: 0 would say that all is well.
        if (state === undefined) this.remove();
        else this.set(figureOf(state));
      },
    });
  new Gauge({
    name: 'millrace_database_up',
    help: '1 while the database tells the figures of it that are here, 0 while it does not and they are absent',
    registers,
    async collect() {
      this.set((await read()) === undefined ? 0 : 1);
    },
  });
  gauge(
    'millrace_database_writable',
    '1 while the database takes writes, 0 while it is read-only or full',
    (state) => (state.writable ? 1 : 0),
  );
  gauge(
    'millrace_shards_without_owner',
    'Shards that no worker delivers, of 1,024',
    (state) => state.shardsWithoutOwner,
  );
  gauge(
    'millrace_oldest_transaction_seconds',
    'For how long the oldest transaction of the database has been open',
    (state) => state.oldestTransactionMs / 1_000,
  );
  gauge(
    'millrace_partitions_ahead',
    'Partitions of days to come that every table has; -1 when one has none of today',
    (state) => state.partitionsAhead,
  );
  gauge(
    'millrace_pending_dead_rows',
    'Dead rows of the table pending that are not cleaned yet, as the statistics have it',
    (state) => state.deadPendingRows,
  );
  backlogGauges(registry, { routeLabels, read: () => read() });
  return {
    readDatabase(reading) {
      read = reading;
    },
  };
}

function backlogGauges(
  registry: Registry,
  at: { routeLabels: CappedLabels; read: () => Promise<DatabaseState | undefined> },
): void {
  const { routeLabels, read } = at;
  const registers = [registry];
  const backlog = (name: string, help: string, figureOf: (state: BacklogState) => number) =>
    new Gauge({
      name,
      help,
      labelNames: ['route', 'priority'] as const,
      registers,
      async collect() {
        const state = await read();
        this.reset();
        for (const one of state?.backlog ?? []) {
          this.inc({ route: routeLabels.of(one.route), priority: one.priority }, figureOf(one));
        }
      },
    });
  backlog(
    'millrace_backlog_messages',
    'Unfinished messages of all servers; those of a chunk in memory count until it rests',
    ({ messages }) => messages,
  );
  backlog(
    'millrace_backlog_held_messages',
    'Of those, the ones of batches that are paused, or whose window is closed',
    ({ held }) => held,
  );
  new Gauge({
    name: 'millrace_backlog_oldest_seconds',
    help: 'For how long the oldest message could have left; 0 while nothing could, or its route or batch is paused or closed',
    labelNames: ['route', 'priority'] as const,
    registers,
    async collect() {
      const state = await read();
      this.reset();
      const oldest = new Map<string, { route: string; priority: string; ms: number }>();
      for (const { route: name, priority, oldestMs } of state?.backlog ?? []) {
        const route = routeLabels.of(name);
        const key = `${priority} ${route}`;
        oldest.set(key, { route, priority, ms: Math.max(oldest.get(key)?.ms ?? 0, oldestMs) });
      }
      for (const { ms, ...labels } of oldest.values()) this.set(labels, ms / 1_000);
    },
  });
  new Gauge({
    name: 'millrace_route_paused',
    help: '1 while somebody has paused the route or its window is closed, else 0',
    labelNames: ['route'] as const,
    registers,
    async collect() {
      const state = await read();
      this.reset();
      for (const { route, paused, closed } of state?.routes ?? []) {
        this.set({ route: routeLabels.of(route) }, paused || closed ? 1 : 0);
      }
    },
  });
}
