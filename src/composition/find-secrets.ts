import { join } from 'node:path';
import type { Config } from '../config/resolve-config.ts';
import type { Logger } from '../observe/log.ts';
import { type OpenedSecrets, openSecrets } from '../services/open-secrets.ts';
import type { Database } from '../store/database.ts';

/** The keys of the secrets that are stored, and what tells of them: a key that was made is said once. */
export async function findSecrets(
  database: Database,
  { config, log }: { config: Config; log: Logger },
): Promise<OpenedSecrets> {
  const path = join(config.data, 'secret.key');
  const opened = await openSecrets(database, {
    ...(config.secretKey !== undefined && { configured: config.secretKey }),
    path,
  });
  const { made, sealed } = opened;
  if (made) {
    log.info(
      { path },
      'made the key that the secrets of routes are encrypted with: keep a copy, also apart from backups',
    );
  }
  if (sealed.older.length > 0) log.info({ routes: sealed.older }, 'encrypted by the new key');
  if (sealed.plain.length > 0) {
    log.warn(
      { routes: sealed.plain },
      'encrypted secrets that were plain: old backups, the WAL and, until VACUUM FULL route, the data files still have them',
    );
  }
  return opened;
}
