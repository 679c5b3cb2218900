import { readConnections } from '../../store/inspection/read-connections.ts';
import type { Check } from '../check.ts';

const usedShareMax = 0.8;

export const connections: Check = {
  name: 'connections',
  async run({ database, connectionsNeeded }) {
    const { used, ...given } = await readConnections(database);
    const limits = [given.max, given.roleMax, given.databaseMax].filter((limit) => limit >= 0);
    const limit = Math.min(...limits);
    const summary = `${used} of ${limit} connections are in use; the pools of a server as configured take ${connectionsNeeded}`;
    if (connectionsNeeded > limit) {
      const mend = `ALTER SYSTEM SET max_connections = ${connectionsNeeded + 30}; and restart PostgreSQL; or lower --processes, --read-connections, --intake-connections, --delivery-connections`;
      return [{ severity: 'error', summary, mend }];
    }
    if (used > limit * usedShareMax) {
      const mend =
        'See whose they are: SELECT application_name, count(*) FROM pg_stat_activity GROUP BY 1 ORDER BY 2 DESC;';
      return [{ severity: 'warning', summary, mend }];
    }
    return [{ severity: 'ok', summary }];
  },
};
