import { type FeedHolder, readFeedHolder } from '../../store/inspection/read-feed-holder.ts';
import { type Check, type Finding, orOk } from '../check.ts';

/** A transaction of any database of the cluster holds it back, though it holds back no rows of this one. */
export const changeFeed: Check = {
  name: 'change-feed',
  async run({ database, oldTransactionMs }) {
    const holder = await readFeedHolder(database);
    const isOld = holder !== undefined && holder.ageMs >= oldTransactionMs;
    return orOk(isOld ? [describe(holder)] : [], 'GET /v1/events is not held back');
  },
};

function describe(holder: FeedHolder): Finding {
  const { pid, gid, user, application, state, ageMs } = holder;
  const database = holder.database ?? 'unknown';
  const since = `for ${Math.round(ageMs / 1_000)} s, and GET /v1/events shows nothing that was written since`;
  if (pid === null) {
    return {
      severity: 'warning',
      summary: `the transaction ${gid === null ? 'of a name that is hidden' : `'${gid}'`} of the database ${database} has been prepared ${since}`,
      mend: `In the database ${database}: ROLLBACK PREPARED ${gid === null ? 'what pg_prepared_xacts lists first' : `'${gid.replaceAll("'", "''")}'`}; or COMMIT PREPARED, as its coordinator says`,
    };
  }
  const who = `pid ${pid} (${user ?? 'unknown'}, ${application || 'no application name'}, ${state ?? 'unknown'})`;
  return {
    severity: 'warning',
    summary: `${who} has written in the database ${database} and not ended its transaction ${since}`,
    mend: `SELECT pg_terminate_backend(${pid}); and let its program commit, or set idle_in_transaction_session_timeout for its role`,
  };
}
