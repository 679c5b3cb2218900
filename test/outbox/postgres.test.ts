import { afterAll, beforeAll, test } from 'vitest';
import { createTestDatabase } from '../support/postgres.ts';
import { postgresApp } from './app-database.ts';
import { type OutboxSite, startOutboxSite } from './outbox-site.ts';
import { outboxSuite } from './outbox-suite.ts';

let url: string;
let site: OutboxSite;

beforeAll(async () => {
  url = (await createTestDatabase({ empty: true })).url;
  site = await startOutboxSite();
});

afterAll(async () => {
  await site?.stop();
});

outboxSuite(test, { app: () => postgresApp(url), site: () => site });
