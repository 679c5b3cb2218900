import type { OutboxDialect } from '../client/outbox-table.ts';
import { OutboxError, type OutboxSession } from './outbox-session.ts';

export interface Outbox {
  /** Makes its tables where they are missing. */
  create(): Promise<void>;
  open(): Promise<OutboxSession>;
}

/** The outbox in the application's database. @throws OutboxError where the URL or the table is not one */
export function openOutbox(url: string, table: string): Outbox {
  const dialect = dialectOf(url);
  return {
    async create() {
      if (dialect === 'postgres') {
        const { createPostgresOutbox } = await import('./postgres-session.ts');
        return await createPostgresOutbox(url, table);
      }
      const { createMariadbOutbox } = await import('./mariadb-session.ts');
      return await createMariadbOutbox(url, table);
    },
    async open() {
      if (dialect === 'postgres') {
        const { openPostgresSession } = await import('./postgres-session.ts');
        return await openPostgresSession(url, table);
      }
      const { openMariadbSession } = await import('./mariadb-session.ts');
      return await openMariadbSession(url, table);
    },
  };
}

const dialects: Record<string, OutboxDialect> = {
  'postgres:': 'postgres',
  'postgresql:': 'postgres',
  'mariadb:': 'mariadb',
  'mysql:': 'mariadb',
};

function dialectOf(url: string): OutboxDialect {
  const dialect = URL.canParse(url) ? dialects[new URL(url).protocol] : undefined;
  if (dialect) return dialect;
  throw new OutboxError(
    'the URL of the application’s database must be postgres://user:password@host/name or mariadb://user:password@host/name, of one host',
  );
}
