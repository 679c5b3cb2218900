import type { SecretBox } from '../../lib/secret-box.ts';
import type { Channel } from '../../message/fields.ts';
import {
  type BreakerPolicy,
  breakerDefaults,
  type DestinationLimit,
  type OnUncertain,
  type RetryPolicy,
  type Route,
} from '../../message/route.ts';
import type { SendWindow } from '../../message/send-window/send-window.ts';
import type { Queryable } from '../database.ts';
import { openReceiptsToken, sealReceiptsToken } from './receipts-token.ts';
import { openOptions, type StoredOptions, sealOptions } from './sealed-options.ts';

/** Named, because a prepared `*` fails when a migration adds a column. */
const columns = `id, name, connector, channel, options, sealed_options, rate_per_second, concurrency, retry, breaker,
  on_uncertain, accounts, destinations, paused, version, created_at, updated_at, deleted_at, receipts_by,
  sealed_receipts_token, send_window`;

export type RouteFields = Omit<
  Route,
  'id' | 'paused' | 'version' | 'createdAt' | 'updatedAt' | 'deleted' | 'receiptsToken'
>;

/**
 * Makes the route, or gives a live one of that name these fields and the next version. It keeps the token that its
 * provider calls it by; one that has none gets `receiptsToken`.
 */
export async function putRoute(
  database: Queryable,
  { fields, secrets, receiptsToken }: { fields: RouteFields; secrets: SecretBox; receiptsToken?: string },
): Promise<{ route: Route; created: boolean }> {
  const { rows } = await database.query<RouteRow>(
    {
      name: 'put_route',
      text: `INSERT INTO route
          (name, connector, channel, sealed_options, rate_per_second, concurrency, retry, on_uncertain, accounts,
           breaker, destinations, receipts_by, sealed_receipts_token, send_window)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        ON CONFLICT (name) WHERE deleted_at IS NULL DO UPDATE SET
          connector = excluded.connector, channel = excluded.channel, options = NULL, sealed_options = excluded.sealed_options,
          rate_per_second = excluded.rate_per_second, concurrency = excluded.concurrency,
          retry = excluded.retry, on_uncertain = excluded.on_uncertain, accounts = excluded.accounts,
          breaker = excluded.breaker, destinations = excluded.destinations, receipts_by = excluded.receipts_by,
          send_window = excluded.send_window,
          sealed_receipts_token = coalesce(route.sealed_receipts_token, excluded.sealed_receipts_token),
          version = route.version + 1, updated_at = now()
        RETURNING ${columns}`,
    },
    [
      fields.name,
      fields.connector,
      fields.channel ?? null,
      sealOptions(secrets, fields),
      fields.ratePerSecond ?? null,
      fields.concurrency,
      JSON.stringify(fields.retry),
      fields.onUncertain,
      fields.accounts ?? null,
      JSON.stringify(fields.breaker),
      fields.destinations === undefined ? null : JSON.stringify(fields.destinations),
      fields.receiptsBy ?? null,
      receiptsToken === undefined
        ? null
        : sealReceiptsToken(secrets, { name: fields.name, token: receiptsToken }),
      fields.sendWindow === undefined ? null : JSON.stringify(fields.sendWindow),
    ],
  );
  const route = routeOf(rows[0]!, secrets);
  return { route, created: route.version === 1 };
}

/** The live route of that name, if the account may use it. */
export async function findRoute(
  database: Queryable,
  key: { name: string; usableBy?: number | undefined; secrets: SecretBox },
): Promise<Route | null> {
  const { rows } = await database.query<RouteRow>(
    {
      name: 'find_route',
      text: `SELECT ${columns} FROM route WHERE name = $1 AND deleted_at IS NULL
        AND ($2::integer IS NULL OR accounts IS NULL OR $2 = ANY (accounts))`,
    },
    [key.name, key.usableBy ?? null],
  );
  return rows[0] ? routeOf(rows[0], key.secrets) : null;
}

/** Live routes behind `after` by name, all or those that an account may use. */
export async function listRoutes(
  database: Queryable,
  page: { usableBy?: number; after: string; limit: number; secrets: SecretBox },
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
  return rows.map((row) => routeOf(row, page.secrets));
}

/** The route, paused or not as asked; null when there is no live one of that name. */
export async function switchRoute(
  database: Queryable,
  { name, paused, secrets }: { name: string; paused: boolean; secrets: SecretBox },
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
  return rows[0] ? routeOf(rows[0], secrets) : null;
}

/**
 * Gives the route another token for its provider to call, also where an option holds the old one, as the address of
 * receipts does that some providers are told with each message. Null when there is no live one of that name.
 */
export async function setReceiptsToken(
  database: Queryable,
  { name, token, secrets }: { name: string; token: string; secrets: SecretBox },
): Promise<Route | null> {
  const before = await findRoute(database, { name, secrets });
  if (before === null) return null;
  const { connector, receiptsToken } = before;
  const options = withToken(before.options, { from: receiptsToken, to: token });
  const { rows } = await database.query<RouteRow>(
    {
      name: 'set_receipts_token',
      text: `UPDATE route SET sealed_receipts_token = $2, options = NULL, sealed_options = $3, version = version + 1, updated_at = now()
        WHERE name = $1 AND deleted_at IS NULL RETURNING ${columns}`,
    },
    [name, sealReceiptsToken(secrets, { name, token }), sealOptions(secrets, { name, connector, options })],
  );
  return rows[0] ? routeOf(rows[0], secrets) : null;
}

function withToken(
  options: Route['options'],
  { from, to }: { from: string | undefined; to: string },
): Route['options'] {
  if (from === undefined) return options;
  const replaced = (value: unknown) => (typeof value === 'string' ? value.replaceAll(from, to) : value);
  return Object.fromEntries(Object.entries(options).map(([option, value]) => [option, replaced(value)]));
}

/** The route as it was; null when there is no live one of that name. */
export async function deleteRoute(
  database: Queryable,
  { name, secrets }: { name: string; secrets: SecretBox },
): Promise<Route | null> {
  const { rows } = await database.query<RouteRow>(
    {
      name: 'delete_route',
      text: `UPDATE route SET deleted_at = now(), version = version + 1
        WHERE name = $1 AND deleted_at IS NULL RETURNING ${columns}`,
    },
    [name],
  );
  return rows[0] ? routeOf(rows[0], secrets) : null;
}

/** Whether messages wait for the route with this id. */
export async function holdsMessages(database: Queryable, routeId: number): Promise<boolean> {
  const { rows } = await database.query<{ holds: boolean }>(
    {
      name: 'route_holds_messages',
      text: 'SELECT EXISTS (SELECT FROM pending WHERE route_id = $1) AS holds',
    },
    [routeId],
  );
  return rows[0]!.holds;
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

/**
 * Every route, the deleted ones too: messages outlive them. `unopened` are those whose options no key here opens, with
 * the reason.
 */
export async function readAllRoutes(
  database: Queryable,
  secrets: SecretBox,
): Promise<{ routes: Route[]; unopened: { id: number; error: Error }[] }> {
  const { rows } = await database.query<RouteRow>({
    name: 'read_all_routes',
    text: `SELECT ${columns} FROM route`,
  });
  const routes: Route[] = [];
  const unopened: { id: number; error: Error }[] = [];
  for (const row of rows) {
    try {
      routes.push(routeOf(row, secrets));
    } catch (cause) {
      const error = new Error(`the options of route ${row.name} cannot be opened`, { cause });
      unopened.push({ id: row.id, error });
    }
  }
  return { routes, unopened };
}

interface RouteRow extends StoredOptions, Record<string, unknown> {
  id: number;
  channel: Channel | null;
  rate_per_second: number | null;
  concurrency: number;
  retry: RetryPolicy;
  breaker: BreakerPolicy | false | null;
  on_uncertain: OnUncertain;
  accounts: number[] | null;
  destinations: DestinationLimit[] | null;
  send_window: SendWindow | null;
  paused: boolean;
  version: string;
  created_at: Date;
  updated_at: Date;
  deleted_at: Date | null;
  receipts_by: 'providerRef' | null;
  sealed_receipts_token: string | null;
}

function routeOf(row: RouteRow, secrets: SecretBox): Route {
  const { name, sealed_receipts_token: sealed } = row;
  return {
    id: row.id,
    name: row.name,
    connector: row.connector,
    ...(row.channel && { channel: row.channel }),
    options: openOptions(secrets, row),
    ...(row.rate_per_second !== null && { ratePerSecond: row.rate_per_second }),
    concurrency: row.concurrency,
    retry: row.retry,
    breaker: row.breaker ?? breakerDefaults,
    onUncertain: row.on_uncertain,
    ...(row.accounts && { accounts: row.accounts }),
    ...(row.destinations && { destinations: row.destinations }),
    ...(row.send_window && { sendWindow: row.send_window }),
    paused: row.paused,
    version: Number(row.version),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    deleted: row.deleted_at !== null,
    ...(row.receipts_by && { receiptsBy: row.receipts_by }),
    ...(sealed !== null && { receiptsToken: openReceiptsToken(secrets, { name, sealed }) }),
  };
}
