import type { Queryable } from '../database.ts';

/** Of PostgreSQL's settings, those that are named, as this session has them; without the ones that its role may not see. */
export async function readSettings(
  database: Queryable,
  names: readonly string[],
): Promise<Map<string, string>> {
  const { rows } = await database.query<{ name: string; setting: string }>(
    { name: 'read_settings', text: 'SELECT name, setting FROM pg_settings WHERE name = ANY($1::text[])' },
    [names],
  );
  return new Map(rows.map(({ name, setting }) => [name, setting]));
}
