import { type SecretBox, SecretBoxError } from '../../lib/secret-box.ts';
import type { Database, Queryable } from '../database.ts';
import { changeControl } from './change-control.ts';
import { openReceiptsToken, sealReceiptsToken } from './receipts-token.ts';
import { openOptions, type StoredOptions, sealOptions } from './sealed-options.ts';

export interface SealedRoutes {
  /** Names of routes whose options were plain until now. */
  plain: string[];
  /** Names of routes that an older key had sealed. */
  older: string[];
}

/**
 * Seals by the present key what is plain or sealed by an older one, and proves that all of it can be opened.
 * @throws UnopenedRouteError when the options of one cannot be.
 */
export async function sealRoutes(database: Database, secrets: SecretBox): Promise<SealedRoutes> {
  if ((await readRoutes(database, secrets)).every(({ stale }) => !stale)) return { plain: [], older: [] };
  return changeControl(database, async (transaction) => {
    const sealed: SealedRoutes = { plain: [], older: [] };
    for (const route of await readRoutes(transaction, secrets)) {
      if (!route.stale) continue;
      const { id, name, token } = route;
      const sealedToken = token === undefined ? null : sealReceiptsToken(secrets, { name, token });
      await transaction.query(sealStatement, [id, sealOptions(secrets, route), sealedToken]);
      sealed[route.wasPlain ? 'plain' : 'older'].push(route.name);
    }
    return sealed;
  });
}

class UnopenedRouteError extends Error {
  override readonly name = 'UnopenedRouteError';

  constructor(routeName: string, cause: SecretBoxError) {
    super(`the secrets of route ${routeName} cannot be opened: ${cause.message}`, { cause });
  }
}

const sealStatement = {
  name: 'seal_route',
  text: 'UPDATE route SET options = NULL, sealed_options = $2, sealed_receipts_token = $3 WHERE id = $1',
};

interface RouteRow extends StoredOptions, Record<string, unknown> {
  id: number;
  sealed_receipts_token: string | null;
}

async function readRoutes(database: Queryable, secrets: SecretBox) {
  const { rows } = await database.query<RouteRow>({
    name: 'read_route_options',
    text: 'SELECT id, name, connector, options, sealed_options, sealed_receipts_token FROM route ORDER BY id',
  });
  return rows.map((row) => {
    const { id, name, connector, sealed_options: sealed, sealed_receipts_token: sealedToken } = row;
    const isStale = (text: string) => !secrets.isCurrent(text);
    const stale = sealed === null || isStale(sealed) || (sealedToken !== null && isStale(sealedToken));
    const options = opened(row, () => openOptions(secrets, row));
    const token =
      sealedToken === null
        ? undefined
        : opened(row, () => openReceiptsToken(secrets, { name, sealed: sealedToken }));
    return { id, name, connector, options, token, stale, wasPlain: sealed === null };
  });
}

function opened<Secret>(row: RouteRow, open: () => Secret): Secret {
  try {
    return open();
  } catch (error) {
    throw error instanceof SecretBoxError ? new UnopenedRouteError(row.name, error) : error;
  }
}
