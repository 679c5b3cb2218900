import type { SecretBox } from '../../lib/secret-box.ts';
import type { EventType, Webhook, WebhookFilter, WebhookSecret } from '../../message/webhook.ts';
import type { Queryable } from '../database.ts';

/** Named, because a prepared `*` fails when a migration adds a column. */
const columns = `id, account_id, name, url, sealed_secrets, events, filter, batch_max, begins, created_at, failing_since,
  disabled_at, disabled_reason, former_names`;

/** More than anybody needs; each is looked up like a name. */
const formerNamesMax = 20;

export type WebhookFields = Pick<Webhook, 'name' | 'url' | 'secrets' | 'events' | 'filter' | 'batchMax'>;

/** Who it is of: an account sees none but its own. */
export interface WebhookKey {
  accountId: number;
  id: string;
}

/** Stores a webhook. One of the same id is of an earlier try whose answer was never sent: it takes the new secrets. */
export async function insertWebhook(
  database: Queryable,
  { webhook, secrets }: { webhook: WebhookKey & WebhookFields & { begins: string }; secrets: SecretBox },
): Promise<Webhook> {
  const { id, accountId, name, url, events, filter, batchMax, begins } = webhook;
  const { rows } = await database.query<WebhookRow>(
    {
      name: 'insert_webhook',
      text: `INSERT INTO webhook (id, account_id, name, url, sealed_secrets, events, filter, batch_max, begins)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (id) DO UPDATE SET sealed_secrets = excluded.sealed_secrets RETURNING ${columns}`,
    },
    [
      ...[id, accountId, name, url, sealSecrets(secrets, webhook), events],
      ...[JSON.stringify(filter), batchMax, begins],
    ],
  );
  return webhookOf(rows[0]!, secrets);
}

export async function findWebhook(
  database: Queryable,
  { accountId, id, secrets }: WebhookKey & { secrets: SecretBox },
): Promise<Webhook | null> {
  const { rows } = await database.query<WebhookRow>(
    {
      name: 'find_webhook',
      text: `SELECT ${columns} FROM webhook WHERE id = $1 AND account_id = $2 AND deleted_at IS NULL`,
    },
    [id, accountId],
  );
  return rows[0] ? webhookOf(rows[0], secrets) : null;
}

/** The live one of that name, and how many there are. */
export async function countWebhooks(
  database: Queryable,
  { accountId, name }: { accountId: number; name: string },
): Promise<{ named: string | null; live: number }> {
  const { rows } = await database.query<{ named: string | null; live: number }>(
    {
      name: 'count_webhooks',
      text: `SELECT (array_agg(id) FILTER (WHERE name = $2))[1] AS named, count(*)::integer AS live FROM webhook
        WHERE account_id = $1 AND deleted_at IS NULL`,
    },
    [accountId, name],
  );
  return rows[0]!;
}

/** Whether any account has one. */
export async function hasLiveWebhooks(database: Queryable): Promise<boolean> {
  const { rows } = await database.query<{ any: boolean }>({
    name: 'has_live_webhooks',
    text: 'SELECT EXISTS (SELECT FROM webhook WHERE deleted_at IS NULL) AS any',
  });
  return rows[0]!.any;
}

/** Live webhooks of an account behind `after`, by id, which is by creation. */
export async function listWebhooks(
  database: Queryable,
  {
    accountId,
    after,
    limit,
    secrets,
  }: { accountId: number; after: string; limit: number; secrets: SecretBox },
): Promise<Webhook[]> {
  const { rows } = await database.query<WebhookRow>(
    {
      name: 'list_webhooks',
      text: `SELECT ${columns} FROM webhook WHERE account_id = $1 AND id > $2 AND deleted_at IS NULL ORDER BY id LIMIT $3`,
    },
    [accountId, after, limit],
  );
  return rows.map((row) => webhookOf(row, secrets));
}

const disabledByHand = 'it was disabled by hand';

/** Gives a live webhook these fields; `enabled` also ends that it is disabled, or disables it. */
export async function updateWebhook(
  database: Queryable,
  {
    webhook,
    enabled,
    secrets,
  }: { webhook: WebhookKey & WebhookFields; enabled?: boolean | undefined; secrets: SecretBox },
): Promise<Webhook | null> {
  const { id, accountId, name, url, events, filter, batchMax } = webhook;
  const { rows } = await database.query<WebhookRow>(
    {
      name: 'update_webhook',
      text: `UPDATE webhook SET name = $3, url = $4, sealed_secrets = $5, events = $6, filter = $7, batch_max = $8,
          updated_at = now(),
          former_names = CASE WHEN name = $3 THEN former_names
            ELSE (name || array_remove(array_remove(former_names, $3::text), name))[1:${formerNamesMax}] END,
          failing_since = CASE WHEN $9 THEN NULL ELSE failing_since END,
          disabled_at = CASE WHEN $9 THEN NULL WHEN NOT $9 THEN coalesce(disabled_at, now()) ELSE disabled_at END,
          disabled_reason = CASE WHEN $9 THEN NULL WHEN NOT $9 THEN coalesce(disabled_reason, $10) ELSE disabled_reason END
        WHERE id = $1 AND account_id = $2 AND deleted_at IS NULL RETURNING ${columns}`,
    },
    [
      ...[id, accountId, name, url, sealSecrets(secrets, webhook), events],
      ...[JSON.stringify(filter), batchMax, enabled ?? null, disabledByHand],
    ],
  );
  return rows[0] ? webhookOf(rows[0], secrets) : null;
}

/** False when the account has no such live webhook. */
export async function deleteWebhook(database: Queryable, { accountId, id }: WebhookKey): Promise<boolean> {
  const { rowCount } = await database.query(
    {
      name: 'delete_webhook',
      text: 'UPDATE webhook SET deleted_at = now() WHERE id = $1 AND account_id = $2 AND deleted_at IS NULL',
    },
    [id, accountId],
  );
  return rowCount > 0;
}

/** Notes since when it fails, or that it does not. */
export async function noteWebhookHealth(
  database: Queryable,
  { id, failingSince }: { id: string; failingSince: Date | null },
): Promise<void> {
  await database.query(
    {
      name: 'note_webhook_health',
      text: `UPDATE webhook SET failing_since = CASE WHEN $2::timestamptz IS NULL THEN NULL
        ELSE least(failing_since, $2::timestamptz) END WHERE id = $1`,
    },
    [id, failingSince],
  );
}

/** Ends that it is called; false when somebody did so before. */
export async function disableWebhook(
  database: Queryable,
  { id, reason }: { id: string; reason: string },
): Promise<boolean> {
  const { rowCount } = await database.query(
    {
      name: 'disable_webhook',
      text: `UPDATE webhook SET disabled_at = now(), disabled_reason = $2
        WHERE id = $1 AND disabled_at IS NULL AND deleted_at IS NULL`,
    },
    [id, reason],
  );
  return rowCount > 0;
}

/** Every live webhook. `unopened` are those whose secrets no key here opens, with the reason. */
export async function readLiveWebhooks(
  database: Queryable,
  secrets: SecretBox,
): Promise<{ webhooks: Webhook[]; unopened: { known: Omit<Webhook, 'secrets'>; error: Error }[] }> {
  const { rows } = await database.query<WebhookRow>({
    name: 'read_live_webhooks',
    text: `SELECT ${columns} FROM webhook WHERE deleted_at IS NULL`,
  });
  const webhooks: Webhook[] = [];
  const unopened: { known: Omit<Webhook, 'secrets'>; error: Error }[] = [];
  for (const row of rows) {
    try {
      webhooks.push(webhookOf(row, secrets));
    } catch (cause) {
      unopened.push({
        known: knownOf(row),
        error: new Error(`the secrets of webhook ${row.id} cannot be opened`, { cause }),
      });
    }
  }
  return { webhooks, unopened };
}

interface WebhookRow extends Record<string, unknown> {
  id: string;
  account_id: number;
  name: string;
  url: string;
  sealed_secrets: string;
  events: EventType[];
  filter: WebhookFilter;
  batch_max: number;
  begins: string;
  created_at: Date;
  failing_since: Date | null;
  disabled_at: Date | null;
  disabled_reason: string | null;
  former_names: string[];
}

function webhookOf(row: WebhookRow, secrets: SecretBox): Webhook {
  const opened = JSON.parse(secrets.open(row.sealed_secrets, aboutSecrets(row))) as WebhookSecret[];
  return { ...knownOf(row), secrets: opened };
}

/** What needs no key to be read. */
function knownOf(row: WebhookRow): Omit<Webhook, 'secrets'> {
  return {
    id: row.id,
    accountId: row.account_id,
    name: row.name,
    url: row.url,
    events: row.events,
    filter: row.filter,
    batchMax: row.batch_max,
    begins: row.begins,
    createdAt: row.created_at,
    formerNames: row.former_names,
    ...(row.failing_since && { failingSince: row.failing_since }),
    ...(row.disabled_at && { disabled: { at: row.disabled_at, reason: row.disabled_reason ?? '' } }),
  };
}

function sealSecrets(secrets: SecretBox, webhook: { id: string; secrets: readonly WebhookSecret[] }): string {
  return secrets.seal(JSON.stringify(webhook.secrets), aboutSecrets(webhook));
}

/** Secrets moved to another webhook do not open. */
export function aboutSecrets({ id }: { id: string }): string {
  return `webhook/${id}`;
}
