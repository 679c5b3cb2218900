import type { Database, Queryable } from '../database.ts';

/**
 * Changes control tables: accounts, keys, routes, templates. Raising the version first makes changes run one after
 * another, so that what `work` reads stays true until it commits; polling caches see the new version with
 * the change itself.
 */
export function changeControl<Result>(
  database: Database,
  work: (transaction: Queryable) => Promise<Result>,
): Promise<Result> {
  return database.transaction(async (transaction) => {
    await transaction.query(raiseVersion);
    return work(transaction);
  });
}

const raiseVersion = {
  name: 'raise_control_version',
  text: 'UPDATE control_version SET version = version + 1',
};
