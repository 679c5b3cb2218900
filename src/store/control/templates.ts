import type { Channel } from '../../message/fields.ts';
import type { TemplateTexts, TemplateVersion } from '../../message/templates/compile-template.ts';
import type { TemplateNeeds } from '../../message/templates/find-needs.ts';
import type { AccountTemplates, Template, TemplateEntry } from '../../message/templates/template.ts';
import type { Queryable } from '../database.ts';

/** What a version is made of. */
export interface NewVersion {
  texts: TemplateTexts;
  needs: TemplateNeeds;
}

/** Of which template: by its id or its name. */
export type TemplateKey = { accountId: number } & ({ id: number } | { name: string });

const templateColumns =
  't.id, t.account_id, t.name, t.channel, t.version, t.created_at, t.changed_at, v.subject, v.body, v.html, v.needs';
const newest = 'template t JOIN template_version v ON v.template_id = t.id AND v.version = t.version';

/** The caller has seen, in the same transaction, that no live template of the account has the name. */
export async function insertTemplate(
  database: Queryable,
  template: { accountId: number; name: string; channel: Channel } & NewVersion,
): Promise<Template> {
  const { rows } = await database.query<{ id: number }>(
    {
      name: 'insert_template',
      text: 'INSERT INTO template (account_id, name, channel, version) VALUES ($1, $2, $3, 1) RETURNING id',
    },
    [template.accountId, template.name, template.channel],
  );
  const { id } = rows[0]!;
  await insertVersion(database, { templateId: id, version: 1, ...template });
  return (await findTemplate(database, { accountId: template.accountId, id }))!;
}

/** Makes the next version of a live template, which is the newest from then on. */
export async function addTemplateVersion(
  database: Queryable,
  { template, ...version }: { template: Template } & NewVersion,
): Promise<Template> {
  const { id, accountId } = template;
  const next = template.version + 1;
  await insertVersion(database, { templateId: id, version: next, ...version });
  await database.query(
    {
      name: 'raise_template_version',
      text: 'UPDATE template SET version = $2, changed_at = now() WHERE id = $1',
    },
    [id, next],
  );
  return (await findTemplate(database, { accountId, id }))!;
}

async function insertVersion(
  database: Queryable,
  { templateId, version, texts, needs }: { templateId: number; version: number } & NewVersion,
): Promise<void> {
  await database.query(
    {
      name: 'insert_template_version',
      text: `INSERT INTO template_version (template_id, version, subject, body, html, needs)
        VALUES ($1, $2, $3, $4, $5, $6)`,
    },
    [
      ...[templateId, version],
      ...[texts.subject ?? null, texts.body ?? null, texts.html ?? null, JSON.stringify(needs)],
    ],
  );
}

/** The live template of the account, in its newest version. */
export async function findTemplate(database: Queryable, key: TemplateKey): Promise<Template | undefined> {
  const { rows } = await database.query<TemplateRow>(
    {
      name: 'find_template',
      text: `SELECT ${templateColumns} FROM ${newest}
        WHERE t.account_id = $1 AND (t.id = $2 OR t.name = $3) AND t.deleted_at IS NULL`,
    },
    [key.accountId, 'id' in key ? key.id : null, 'name' in key ? key.name : null],
  );
  return rows[0] && templateOf(rows[0]);
}

/** Live templates of the account behind `after`, by id. */
export async function listTemplates(
  database: Queryable,
  page: { accountId: number; after: number; limit: number },
): Promise<Template[]> {
  const { rows } = await database.query<TemplateRow>(
    {
      name: 'list_templates',
      text: `SELECT ${templateColumns} FROM ${newest}
        WHERE t.account_id = $1 AND t.id > $2 AND t.deleted_at IS NULL ORDER BY t.id LIMIT $3`,
    },
    [page.accountId, page.after, page.limit],
  );
  return rows.map(templateOf);
}

export async function countTemplates(database: Queryable, accountId: number): Promise<number> {
  const { rows } = await database.query<{ count: number }>(
    {
      name: 'count_templates',
      text: 'SELECT count(*)::integer AS count FROM template WHERE account_id = $1 AND deleted_at IS NULL',
    },
    [accountId],
  );
  return rows[0]!.count;
}

/** Its versions stay: messages that were accepted by them are rendered by them. */
export async function deleteTemplate(database: Queryable, id: number): Promise<void> {
  await database.query(
    {
      name: 'delete_template',
      text: 'UPDATE template SET deleted_at = now() WHERE id = $1 AND deleted_at IS NULL',
    },
    [id],
  );
}

export interface VersionSummary {
  version: number;
  createdAt: Date;
}

/** Its versions, the newest first. */
export async function listTemplateVersions(
  database: Queryable,
  { id, limit }: { id: number; limit: number },
): Promise<VersionSummary[]> {
  const { rows } = await database.query<{ version: number; created_at: Date }>(
    {
      name: 'list_template_versions',
      text: `SELECT version, created_at FROM template_version
        WHERE template_id = $1 ORDER BY version DESC LIMIT $2`,
    },
    [id, limit],
  );
  return rows.map(({ version, created_at }) => ({ version, createdAt: created_at }));
}

/** The texts of one version of a template. */
export async function findTemplateVersion(
  database: Queryable,
  { id, version }: { id: number; version: number },
): Promise<NewVersion | undefined> {
  const { rows } = await database.query<TextRow & { needs: TemplateNeeds }>(
    {
      name: 'find_template_version',
      text: `SELECT subject, body, html, needs FROM template_version
        WHERE template_id = $1 AND version = $2`,
    },
    [id, version],
  );
  return rows[0] && { texts: textsOf(rows[0]), needs: rows[0].needs };
}

/** Versions by their ids, of live templates and deleted ones. */
export async function loadTemplateVersions(
  database: Queryable,
  { ids }: { ids: readonly number[] },
): Promise<TemplateVersion[]> {
  if (ids.length === 0) return [];
  const { rows } = await database.query<
    TextRow & { id: number; name: string; channel: Channel; version: number }
  >(
    {
      name: 'load_template_versions',
      text: `SELECT v.id, t.name, t.channel, v.version, v.subject, v.body, v.html
        FROM template_version v JOIN template t ON t.id = v.template_id WHERE v.id = ANY ($1::integer[])`,
    },
    [ids],
  );
  return rows.map((row) => ({
    ...{ id: row.id, name: row.name, channel: row.channel, version: row.version },
    ...textsOf(row),
  }));
}

/** What the names of all live templates mean now, by account; without the texts. */
export async function readTemplateEntries(database: Queryable): Promise<Map<number, AccountTemplates>> {
  const { rows } = await database.query<
    Pick<TemplateRow, 'account_id' | 'name' | 'channel' | 'version' | 'needs'> & { pin: number }
  >({
    name: 'read_template_entries',
    text: `SELECT t.account_id, t.name, t.channel, v.id AS pin, v.version, v.needs FROM ${newest}
      WHERE t.deleted_at IS NULL`,
  });
  const byAccount = new Map<number, Map<string, TemplateEntry>>();
  for (const { account_id, name, channel, pin, version, needs } of rows) {
    const { required, optional } = needs;
    const entry = { name, channel, pin, version, needs: { required, optional } };
    const known = byAccount.get(account_id);
    if (known) known.set(name, entry);
    else byAccount.set(account_id, new Map([[name, entry]]));
  }
  return byAccount;
}

interface TextRow extends Record<string, unknown> {
  subject: string | null;
  body: string | null;
  html: string | null;
}

interface TemplateRow extends TextRow {
  id: number;
  account_id: number;
  name: string;
  channel: Channel;
  version: number;
  needs: TemplateNeeds;
  created_at: Date;
  changed_at: Date;
}

function templateOf(row: TemplateRow): Template {
  return {
    id: row.id,
    accountId: row.account_id,
    name: row.name,
    channel: row.channel,
    version: row.version,
    ...textsOf(row),
    needs: row.needs,
    createdAt: row.created_at,
    changedAt: row.changed_at,
  };
}

function textsOf({ subject, body, html }: TextRow): TemplateTexts {
  return {
    ...(subject !== null && { subject }),
    ...(body !== null && { body }),
    ...(html !== null && { html }),
  };
}
