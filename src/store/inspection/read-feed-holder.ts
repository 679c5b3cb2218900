import type { Queryable } from '../database.ts';

/** Of all transactions of the cluster that write, in whichever database, the oldest. */
export interface FeedHolder {
  /** Null of a transaction that is prepared. */
  pid: number | null;
  /** Of a prepared transaction. */
  gid: string | null;
  /** Null, as those below, where this role may not see it. */
  database: string | null;
  user: string | null;
  application: string | null;
  state: string | null;
  /** Where the transaction is hidden: for how long it is known to have held the feed. */
  ageMs: number;
}

const statement = {
  name: 'read_feed_holder',
  // Every role sees the locks of all, and who writes holds that of its own number; of a prepared transaction it has no pid.
  text: `SELECT lock.pid, prepared.gid, coalesce(session.datname, prepared.database) AS database, session.usename AS "user",
      session.application_name AS application, session.state,
      (extract(epoch FROM clock_timestamp() - coalesce(session.xact_start, prepared.prepared,
        CASE WHEN feed.shift + pg_snapshot_xmin(pg_current_snapshot())::text::bigint <= feed.settled THEN feed.settled_at END,
        clock_timestamp())) * 1000)::float8 AS "ageMs"
    FROM pg_locks AS lock
    CROSS JOIN (SELECT * FROM feed_epoch ORDER BY number DESC LIMIT 1) AS feed
    LEFT JOIN pg_stat_activity AS session ON session.pid = lock.pid
    LEFT JOIN pg_prepared_xacts AS prepared ON prepared.transaction = lock.transactionid AND lock.pid IS NULL
    WHERE lock.locktype = 'transactionid' AND lock.mode = 'ExclusiveLock' AND lock.granted
      AND lock.pid IS DISTINCT FROM pg_backend_pid()
    ORDER BY age(lock.transactionid) DESC LIMIT 1`,
};

/** Whose end the change feed waits for: nothing is shown that was written since it began to write. */
export async function readFeedHolder(database: Queryable): Promise<FeedHolder | undefined> {
  const { rows } = await database.query<FeedHolder & Record<string, unknown>>(statement);
  return rows[0];
}
