/**
 * SQL for the timeline on which a server writes its log: it rises with each promotion. An error on a standby, which
 * writes none.
 */
export const writtenTimeline = `('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint::float8`;
