import type { Queryable } from '../database.ts';

export interface PendingSize {
  tableBytes: number;
  indexBytes: number;
  /** As the statistics have it. */
  liveRows: number;
  deadRows: number;
  /** A parameter of the table turns autovacuum off. */
  vacuumOff: boolean;
}

const statement = {
  name: 'read_pending_size',
  text: `SELECT pg_table_size(c.oid)::float8 AS "tableBytes", pg_indexes_size(c.oid)::float8 AS "indexBytes",
      coalesce(s.n_live_tup, 0)::float8 AS "liveRows", coalesce(s.n_dead_tup, 0)::float8 AS "deadRows",
      coalesce(c.reloptions && ARRAY['autovacuum_enabled=false', 'autovacuum_enabled=off'], false) AS "vacuumOff"
    FROM pg_class c LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
    WHERE c.oid = to_regclass('pending')`,
};

/** How large the hot table is, and how much of it is dead. */
export async function readPendingSize(database: Queryable): Promise<PendingSize> {
  const { rows } = await database.query<PendingSize & Record<string, unknown>>(statement);
  if (!rows[0]) throw new Error('there is no table pending');
  return rows[0];
}
