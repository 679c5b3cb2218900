import type { Channel } from '../../message/fields.ts';
import type { OnUncertain, RetryPolicy, Route } from '../../message/route.ts';
import type { Queryable } from '../database.ts';

/** Named, because a prepared `*` fails when a migration adds a column. */
const columns = `id, name, connector, channel, options, rate_per_second, concurrency, retry, on_uncertain, accounts,
  paused, version, created_at, updated_at, deleted_at`;

export type RouteFields = Omit<Route, 'id' | 'paused' | 'version' | 'createdAt' | 'updatedAt' | 'deleted'>;

/** Makes the route, or gives a live one of that name these fields and the next version. */
export async function putRoute(
  database: Queryable,
  fields: RouteFields,
): Promise<{ route: Route; created: boolean }> {
  const { rows } = await database.query<RouteRow>(
    {
      name: 'put_route',
      text: `INSERT INTO route
          (name, connector, channel, options, rate_per_second, concurrency, retry, on_uncertain, accounts)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (name) WHERE deleted_at IS NULL DO UPDATE SET
          connector = excluded.connector, channel = excluded.channel, options = excluded.options,
          rate_per_second = excluded.rate_per_second, concurrency = excluded.concurrency,
          retry = excluded.retry, on_uncertain = excluded.on_uncertain, accounts = excluded.accounts,
          version = route.version + 1, updated_at = now()
        RETURNING ${columns}`,
    },
    [
      fields.name,
      fields.connector,
      fields.channel ?? null,
      JSON.stringify(fields.options),
      fields.ratePerSecond ?? null,
      fields.concurrency,
      JSON.stringify(fields.retry),
      fields.onUncertain,
      fields.accounts ?? null,
    ],
  );
  const route = routeOf(rows[0]!);
  return { route, created: route.version === 1 };
}

/** The live route of that name, if the account may use it. */
export async function findRoute(database: Queryable, name: string, usableBy?: number): Promise<Route | null> {
  const { rows } = await database.query<RouteRow>(
    {
      name: 'find_route',
      text: `SELECT ${columns} FROM route WHERE name = $1 AND deleted_at IS NULL
        AND ($2::integer IS NULL OR accounts IS NULL OR $2 = ANY (accounts))`,
    },
    [name, usableBy ?? null],
  );
  return rows[0] ? routeOf(rows[0]) : null;
}

/** Live routes behind `after` by name, all or those that an account may use. */
export async function listRoutes(
  database: Queryable,
  page: { usableBy?: number; after: string; limit: number },
): Promise<Route[]> {
  const { rows } = await database.query<RouteRow>(
    {
      name: 'list_routes',
      text: `SELECT ${columns} FROM route WHERE name COLLATE "C" > $1 AND deleted_at IS NULL
        AND ($2::integer IS NULL OR accounts IS NULL OR $2 = ANY (accounts))
        ORDER BY name COLLATE "C" LIMIT $3`,
    },
    [page.after, page.usableBy ?? null, page.limit],
  );
  return rows.map(routeOf);
}

/** The route, paused or not as asked; null when there is no live one of that name. */
export async function switchRoute(
  database: Queryable,
  { name, paused }: { name: string; paused: boolean },
): Promise<Route | null> {
  const { rows } = await database.query<RouteRow>(
    {
      name: 'switch_route',
      text: `UPDATE route SET paused = $2, version = version + (paused <> $2)::integer,
          updated_at = CASE WHEN paused <> $2 THEN now() ELSE updated_at END
        WHERE name = $1 AND deleted_at IS NULL RETURNING ${columns}`,
    },
    [name, paused],
  );
  return rows[0] ? routeOf(rows[0]) : null;
}

/** The route as it was; null when there is no live one of that name. */
export async function deleteRoute(database: Queryable, name: string): Promise<Route | null> {
  const { rows } = await database.query<RouteRow>(
    {
      name: 'delete_route',
      text: `UPDATE route SET deleted_at = now(), version = version + 1
        WHERE name = $1 AND deleted_at IS NULL RETURNING ${columns}`,
    },
    [name],
  );
  return rows[0] ? routeOf(rows[0]) : null;
}

/** Live accounts that send through the route when they name none. */
export async function accountsDefaultingTo(database: Queryable, routeName: string): Promise<string[]> {
  const { rows } = await database.query<{ name: string }>(
    {
      name: 'accounts_defaulting_to',
      text: `SELECT account.name FROM account, jsonb_each_text(default_routes)
        WHERE value = $1 AND deleted_at IS NULL ORDER BY account.id LIMIT 10`,
    },
    [routeName],
  );
  return rows.map(({ name }) => name);
}

/** Every route, the deleted ones too: messages outlive them. */
export async function readAllRoutes(database: Queryable): Promise<Route[]> {
  const { rows } = await database.query<RouteRow>({
    name: 'read_all_routes',
    text: `SELECT ${columns} FROM route`,
  });
  return rows.map(routeOf);
}

interface RouteRow extends Record<string, unknown> {
  id: number;
  name: string;
  connector: string;
  channel: Channel | null;
  options: Record<string, unknown>;
  rate_per_second: number | null;
  concurrency: number;
  retry: RetryPolicy;
  on_uncertain: OnUncertain;
  accounts: number[] | null;
  paused: boolean;
  version: string;
  created_at: Date;
  updated_at: Date;
  deleted_at: Date | null;
}

function routeOf(row: RouteRow): Route {
  return {
    id: row.id,
    name: row.name,
    connector: row.connector,
    ...(row.channel && { channel: row.channel }),
    options: row.options,
    ...(row.rate_per_second !== null && { ratePerSecond: row.rate_per_second }),
    concurrency: row.concurrency,
    retry: row.retry,
    onUncertain: row.on_uncertain,
    ...(row.accounts && { accounts: row.accounts }),
    paused: row.paused,
    version: Number(row.version),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    deleted: row.deleted_at !== null,
  };
}
