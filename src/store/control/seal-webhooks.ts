import type { SecretBox } from '../../lib/secret-box.ts';
import type { Database, Queryable } from '../database.ts';
import { changeControl } from './change-control.ts';
import { aboutSecrets } from './webhooks.ts';

/**
 * Seals by the present key the secrets of live webhooks that an older one had sealed, and proves that all of them can be opened;
 * the answer is the ids of those.
 * @throws SecretBoxError when those of one cannot be
 */
export async function sealWebhooks(database: Database, secrets: SecretBox): Promise<string[]> {
  if ((await readStale(database, secrets)).length === 0) return [];
  return changeControl(database, async (transaction) => {
    const stale = await readStale(transaction, secrets);
    for (const { id, text } of stale) {
      await transaction.query(sealStatement, [id, secrets.seal(text, aboutSecrets({ id }))]);
    }
    return stale.map(({ id }) => id);
  });
}

const sealStatement = {
  name: 'seal_webhook',
  text: 'UPDATE webhook SET sealed_secrets = $2 WHERE id = $1',
};

async function readStale(database: Queryable, secrets: SecretBox): Promise<{ id: string; text: string }[]> {
  const { rows } = await database.query<{ id: string; sealed: string }>({
    name: 'read_webhook_secrets',
    text: 'SELECT id, sealed_secrets AS sealed FROM webhook WHERE deleted_at IS NULL ORDER BY id',
  });
  return rows
    .map(({ id, sealed }) => ({ id, sealed, text: secrets.open(sealed, aboutSecrets({ id })) }))
    .filter(({ sealed }) => !secrets.isCurrent(sealed));
}
