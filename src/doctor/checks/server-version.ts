import { readSettings } from '../../store/inspection/read-settings.ts';
import type { Check } from '../check.ts';

const oldest = 150_000;

export const serverVersion: Check = {
  name: 'server-version',
  async run({ database }) {
    const settings = await readSettings(database, ['server_version_num', 'server_version']);
    const version = settings.get('server_version');
    if (Number(settings.get('server_version_num')) >= oldest) {
      return [{ severity: 'ok', summary: `PostgreSQL ${version}` }];
    }
    const mend = 'Move the data to PostgreSQL 15 or newer: pg_dump and pg_restore, or pg_upgrade.';
    return [{ severity: 'error', summary: `PostgreSQL ${version} is older than 15`, mend }];
  },
};
